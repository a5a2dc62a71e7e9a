"""Charts that move while a run trains: drawn once, then fed bytes, never mounted again.

A page calls the chart functions where the charts shall stand, *outside* fragments, and
:func:`feed` once inside its one fragment (:func:`regviz.ui.fragments.fragment`). The name of a
``channel`` ties them together::

    from regviz.ui import fragments, live

    live.loss_curves("play", labels=("no regularization", "with regularization"))
    live.decision_boundary("play", labels=("no regularization", "with regularization"))
    live.weight_histogram("play", labels=("no regularization", "with regularization"))
    live.scrubber("play", labels=("no regularization", "with regularization"))
    live.readout("play")

    @fragments.fragment(run_every=0.1 if running else None)
    def tick():
        live.feed("play", job, table=lambda frame: live.Table(("", *labels), ...))

The charts get their empty figure from :mod:`regviz.figures.live` (sent again only when the
configuration changes); the feed gets one message of raw bytes for each frame
(:mod:`regviz.frames.messages`), which the browser hands to every chart of the channel. So one
frame is one small message, however many charts show it. The charts also take messages from the
page's connection as they come, before Streamlit hands them over; each is numbered, so that none is
drawn twice. Until the first frame of a new run comes, the old picture stays.

A finished sweep goes to the same charts as one message (:func:`sweep_feed`), and the scrubber then
moves over its values in the browser alone. Charts of another kind that change as a whole, as a
heat map that fills, are mounted with :func:`figure` and moved by :func:`feed_figures`.

==================  ======================================================================
:mod:`.charts`      what a page mounts
:mod:`.feed`        what moves it
:mod:`.mount`       how both become components of Streamlit
:mod:`.stamping`    numbers of messages, of which the browser may get one twice
:mod:`.shared`      the constants that the JavaScript has from Python
:mod:`.plotly_js`   Plotly's JavaScript beside the main script
``*.js``            the browser's half: ``main.js`` is its entry, ``page.js`` what all share
==================  ======================================================================

The browser needs Plotly's JavaScript at ``static/plotly.min.js`` beside the main script
(:func:`ensure_plotly_js` puts it there) and ``server.enableStaticServing``.
"""

from regviz.frames.messages import Table
from regviz.ui.live.charts import (
    Drawing,
    decision_boundary,
    figure,
    loss_curves,
    readout,
    scrubber,
    weight_histogram,
)
from regviz.ui.live.feed import LiveJob, feed, feed_figures, sweep_feed
from regviz.ui.live.plotly_js import ensure_plotly_js

__all__ = [
    "Drawing",
    "LiveJob",
    "Table",
    "decision_boundary",
    "ensure_plotly_js",
    "feed",
    "feed_figures",
    "figure",
    "loss_curves",
    "readout",
    "scrubber",
    "sweep_feed",
    "weight_histogram",
]
