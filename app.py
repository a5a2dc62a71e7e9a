"""The entry point: page order, the engine's start, and one tidy heap for all sessions.

Run it with ``streamlit run app.py``.
"""

from __future__ import annotations

import copy

import streamlit as st

from regviz.engine import log
from regviz.engine.engine import shared_engine
from regviz.results import metrics, presets
from regviz.ui import (
    address,
    controls,
    errors,
    layout,
    live,
    place,
    present,
    run,
    server,
    sessions,
    signin,
    turns,
)

ICON = str(place.folder() / "static" / "icon.svg")


# what is to be imported before the heap is tidied
WARM = (metrics, presets, controls, layout, live, present, run)


@server.once
def _pages() -> dict[str, list[st.Page]]:
    """Return the pages by section. Made once: each looks for its file, which took a tenth of the
    time that a visitor waits for a first frame."""
    return {
        "": [
            st.Page(
                "pages/playground.py",
                title="Playground",
                icon=":material/tune:",
                default=True,
                help="One network with and without regularization, trained side by side and live.",
            ),
        ],
        "Basics": [
            st.Page(
                "pages/overfitting.py",
                title="Over-fitting",
                icon=":material/show_chart:",
                help="When does a model under-fit, and when does it over-fit?",
            ),
            st.Page(
                "pages/dropout.py",
                title="Dropout",
                icon=":material/blur_on:",
                help="What does a network learn when half of its units are dropped?",
            ),
            st.Page(
                "pages/penalties.py",
                title="Weight penalties",
                icon=":material/compress:",
                help="What do L1 and L2 do to the weights?",
            ),
            st.Page(
                "pages/early_stopping.py",
                title="Early stopping",
                icon=":material/timer:",
                help="When should training stop?",
            ),
        ],
        "Techniques": [
            st.Page(
                "pages/normalization.py",
                title="Normalization",
                icon=":material/equalizer:",
                help="What inputs does each layer receive, and does normalizing them help?",
            ),
            st.Page(
                "pages/noise.py",
                title="Noise",
                icon=":material/grain:",
                help="Can noise help a network generalize?",
            ),
            st.Page(
                "pages/label_smoothing.py",
                title="Label smoothing",
                icon=":material/gradient:",
                help="How confident should a network be?",
            ),
            st.Page(
                "pages/image_augmentation.py",
                title="Image augmentation",
                icon=":material/rotate_right:",
                help="Random changes to training images: how much helps, how much hurts?",
            ),
            st.Page(
                "pages/augmentation.py",
                title="Augmentation",
                icon=":material/library_add:",
                help="More training data from the same data: changed sounds and sentences.",
            ),
            st.Page(
                "pages/combining.py",
                title="Combining",
                icon=":material/layers:",
                help="Do techniques add up, and when is each one the right choice?",
            ),
        ],
        "Networks": [
            st.Page(
                "pages/images.py",
                title="Images",
                icon=":material/image:",
                help="A small convolutional network, with dropout of whole feature maps.",
            ),
            st.Page(
                "pages/sequences.py",
                title="Sequences",
                icon=":material/linear_scale:",
                help="An LSTM, with the same dropout mask at every time step.",
            ),
            st.Page(
                "pages/attention.py",
                title="Attention",
                icon=":material/center_focus_strong:",
                help="A transformer block: what does dropout do to its attention map?",
            ),
        ],
        "Workshop": [
            st.Page(
                "pages/microscope.py",
                title="Microscope",
                icon=":material/biotech:",
                help="Dropout in detail: masks, sub-networks and their average.",
            ),
            st.Page(
                "pages/misconceptions.py",
                title="What goes wrong",
                icon=":material/report:",
                help="Common mistakes, each beside the correct version.",
            ),
            st.Page(
                "pages/self_check.py",
                title="Self-check",
                icon=":material/quiz:",
                help="Questions that an experiment answers: predict, run, compare.",
            ),
        ],
        "Tools": [
            st.Page(
                "pages/sweep.py",
                title="Sweep",
                icon=":material/grid_on:",
                help="How much regularization is enough? One or two parameters over a range.",
            ),
            st.Page(
                "pages/compare.py",
                title="Compare",
                icon=":material/compare:",
                help="Which configuration is best? Up to six side by side, over several seeds.",
            ),
            st.Page(
                "pages/slides.py",
                title="Slides",
                icon=":material/slideshow:",
                help="The slides that you collected on other pages, as one deck.",
            ),
        ],
    }


turns.hurry()
# before st.navigation, which else has the browser fetch the page's icon from the internet
st.set_page_config(
    page_title="regviz",
    page_icon=ICON,
    layout="wide",
    initial_sidebar_state="auto",
)
log.setup()
shared_engine()
server.prepare()
sessions.present()
layout.style()
st.logo(ICON, size="large")
present.presenting()
# a run has its own, as it marks the one that it shows
pages = {name: [copy.copy(page) for page in section] for name, section in _pages().items()}
page = st.navigation(pages, position="top")
st.set_page_config(page_title=f"{page.title} · regviz")  # for the browser's tab and its history
layout.here([page in section for section in pages.values()].index(True))
signin.required()
address.at(page.url_path or "playground")
with errors.reported():
    page.run()
turns.calm()
