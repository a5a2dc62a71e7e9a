"""Words on slides and beside them: labels, caption, title, alt text, speaker notes.

The words for single fields come from :data:`regviz.specs.FIELDS`, every number from the frame that
is drawn.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from regviz.results import metrics, verdict
from regviz.specs import FIELDS, OWN_FIELDS, OWN_KIND, Experiment, experiments_to_json, to_link
from regviz.specs.fields import PARTS
from regviz.specs.text import clean, shortened

if TYPE_CHECKING:
    from regviz.slides import Runs, Slide

_ALWAYS = ("data.kind", "data.seed", "model.hidden", "training.seed")
_OFF = (None, 0, 0.0, False)


def flat(experiment: Experiment) -> dict[str, Any]:
    """Return every field of an experiment by its path; groups that are off have none."""
    out: dict[str, Any] = {}

    def walk(prefix: str, mapping: dict[str, Any]) -> None:
        for name, value in mapping.items():
            if isinstance(value, dict):
                walk(f"{prefix}{name}.", value)
            elif f"{prefix}{name}" not in PARTS and name not in OWN_FIELDS:
                out[prefix + name] = value

    walk("", experiment.to_dict())
    return out


_DEFAULTS = flat(Experiment.from_dict({"regularization": {"early_stopping": {"patience": 10}}}))


def phrase(path: str, value: Any) -> str:
    """Return one setting as a caption shows it: ``dropout p = 0.5``."""
    if path == "model.hidden":
        return f"hidden units {'-'.join(map(str, value))}" if value else "a linear model"
    return FIELDS[path].caption(value)


def varied(experiments: Sequence[Experiment]) -> list[str]:
    """Return the paths of the fields in which experiments differ, in their usual order."""
    fields = [flat(e) for e in experiments]
    paths = list(dict.fromkeys(path for of in fields for path in of))
    return [p for p in paths if len({json.dumps(of.get(p)) for of in fields}) > 1]


def techniques(experiment: Experiment) -> list[str]:
    """Return what regularizes an experiment, each as a phrase."""
    return [phrase(path, value) for path, value in flat(experiment).items() if is_on(path, value)]


def is_on(path: str, value: Any) -> bool:
    """Whether a field's value switches a technique on that regularizes.

    The patience of early stopping stands for the whole rule.
    """
    return FIELDS[path].regularizes and FIELDS[path].is_on(value)


def _is_of_technique(path: str) -> bool:
    return FIELDS[path].group == "regularization" or FIELDS[path].regularizes


def labels(experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """Return a name for each experiment: the settings in which they differ."""
    paths = varied(experiments)
    regularized = bool(paths) and all(map(_is_of_technique, paths))
    out: list[str] = []
    for e in experiments:
        of = flat(e)
        if len(experiments) == 1 or (regularized and not e.regularized):
            text = ", ".join(techniques(e)) or "no regularization"
        else:
            # that early stopping is on says enough, unless its details are what differs
            own = [
                path
                for path in paths
                if path in of
                and (
                    not path.startswith("regularization.early_stopping.")
                    or path.endswith("patience")
                    or of[path] != _DEFAULTS[path]
                )
            ]
            ours = [path for path in own if _is_of_technique(path)]
            on = [path for path in ours if of[path] not in _OFF]
            # a technique that is off is named only where nothing else names the run
            if ours and not e.regularized:
                on = []
            elif not on:
                on = ours
            texts = [phrase(p, of[p]) for p in (*on, *(p for p in own if p not in ours))]
            if ours and not e.regularized:
                texts.insert(0, "no regularization")
            text = ", ".join(texts)
        out.append(text or "run")
    return tuple(
        f"{label} ({out[: i + 1].count(label)})" if out.count(label) > 1 else label
        for i, label in enumerate(out)
    )


def caption(experiments: Sequence[Experiment]) -> str:
    """Return the settings the experiments share: all that differ from the defaults, and seeds."""
    skipped = set(varied(experiments))
    if experiments[0].data.kind == OWN_KIND:
        skipped.add("data.noise")  # taken as they are
    groups: dict[str, list[str]] = {}
    for path, value in flat(experiments[0]).items():
        usual = _DEFAULTS.get(path, value if path in _ALWAYS else None)
        patience = path == "regularization.early_stopping.patience"
        if path in skipped or (value == usual and path not in _ALWAYS and not patience):
            continue
        text = own_data(experiments) if path == "data.kind" else phrase(path, value)
        groups.setdefault("seeds" if path.endswith("seed") else path.split(".")[0], []).append(text)
    seeds = groups.pop("seeds", [])
    parts = [", ".join(group) for group in (*groups.values(), seeds) if group]
    return " · ".join([*parts, "all other settings default"])


def title(experiments: Sequence[Experiment]) -> str:
    """Return the title of a slide about these experiments, for a slide without a given one."""
    kinds = list(dict.fromkeys(_data_name(e.data.kind) for e in experiments))
    on = " and ".join(kinds) if len(kinds) <= 2 else "several data sets"
    paths = varied(experiments)
    told = [text for text in techniques(experiments[-1]) if text]
    if len(experiments) > 2 and paths:
        names = [re.sub(r" ?=? ?\{\}|\{\}", "", FIELDS[p].phrase).strip(" ,") for p in paths]
        fallback = (p.rsplit(".", 1)[-1].replace("_", " ") for p in paths)
        known = [name or other for name, other in zip(names, fallback, strict=True)]
        what = " and ".join(known[:2]) if len(known) <= 2 else f"{len(experiments)} configurations"
        return _capital(f"{what} on {on}")
    if told:
        return _capital(f"{', '.join(told[:3])} on {on}")
    return _capital(
        f"{'no regularization' if not paths else ' and '.join(labels(experiments))} on {on}"
    )


def slide_title(runs: Runs, slide: Slide, figures: Sequence[str], *, named: bool = False) -> str:
    """Return the title of a page: the slide's own, or made from what is on it.

    ``named``: not empty, although the slide asks for none.
    """
    if slide.title or (slide.title is not None and not named):
        return slide.title
    alone = runs.shown_alone(figures)
    return title(runs.experiments) if alone is None else alone.title


def title_of_chart(runs: Runs, name: str) -> str | None:
    """Return a chart's title; None for a figure of runs."""
    chart = runs.chart(name)
    return None if chart is None else chart.title


def below(runs: Runs, figures: Sequence[str]) -> str:
    """Return the caption of a page: the settings of everything on it, each once."""
    parts = [] if runs.shown_alone(figures) else [caption(runs.experiments)]
    parts += [chart.caption for chart in map(runs.chart, figures) if chart and chart.caption]
    return " · ".join(dict.fromkeys(parts))


def _data_name(kind: str) -> str:
    return "own data" if kind == OWN_KIND else kind


def own_data(experiments: Sequence[Experiment], most: int = 24) -> str:
    """Return what data experiments are on; of own data also the columns and classes, each name
    with at most so many characters."""
    kinds = dict.fromkeys(_data_name(e.data.kind) for e in experiments)
    text = ", ".join(kinds)
    named = {(e.data.columns, e.data.classes) for e in experiments}
    columns, classes = named.pop() if len(named) == 1 else (None, None)
    told = []
    if columns:
        told.append(" and ".join(shortened(clean(name), most) for name in columns))
    if classes:
        told.append("classes " + ", ".join(shortened(clean(name), most) for name in classes))
    return f"{text} ({'; '.join(told)})" if told else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- alt texts and notes ------------------------------------------------------------------------


def number(value: float) -> str:
    """Return a loss or a norm with three digits; a dash where there is none."""
    return f"{value:.3g}" if math.isfinite(value) else "–"


def describe(figure: str, runs: Runs) -> str:
    """Return the alt text of one figure."""
    chart = runs.chart(figure)
    if chart is not None:
        return f"{chart.title}. {chart.alt}"
    frame = runs.last
    readings = [metrics.read(lane) for lane in frame.lanes]
    pairs = list(zip(runs.labels, readings, strict=True))
    many = "one model" if len(pairs) == 1 else f"{len(pairs)} models"
    kinds = own_data(runs.experiments, most=1000)
    if figure == "boundary":
        said = [
            f"{label}: validation accuracy {metrics.percent(r.val_accuracy)} (epoch {r.epoch})"
            for label, r in pairs
        ]
        start = f"Decision boundary of {many} on {kinds}, with training and validation points"
    elif figure == "difference":
        first, second = (lane.boundary for lane in frame.lanes)
        assert first is not None
        assert second is not None
        apart = float(((first > 127) != (second > 127)).mean())
        said = [
            f"the two models predict different classes on {metrics.percent(apart)} of the plane"
        ]
        start = (
            f"P({runs.whole_class_names[1]}) of {runs.labels[1]} minus that of {runs.labels[0]}, "
            "shown as colours"
        )
    elif figure == "curves":
        said = [
            f"{label}: training loss {number(r.train_loss)} and validation loss "
            f"{number(r.val_loss)} at epoch {r.epoch}; validation loss lowest in epoch "
            f"{r.best_epoch} ({number(r.best_val_loss)})"
            for label, r in pairs
        ]
        start = f"Training and validation loss of {many} over the epochs"
    elif figure == "accuracy":
        said = [
            f"{label}: training accuracy {metrics.percent(r.train_accuracy)} and validation "
            f"accuracy {metrics.percent(r.val_accuracy)} at epoch {r.epoch}"
            for label, r in pairs
        ]
        start = f"Training and validation accuracy of {many} over the epochs"
    elif figure == "histogram":
        said = [
            f"{label}: {r.zeros:,} of {r.weights:,} weights are exactly 0" for label, r in pairs
        ]
        start = f"Histograms of the weights of each layer of {many}"
    else:
        said = [f"{label}: validation accuracy {metrics.percent(r.val_accuracy)}, gap "
                f"{metrics.points(r.gap)}, validation loss {number(r.val_loss)}"
                for label, r in pairs]  # fmt: skip
        start = f"Table of losses, accuracies, gap and best epoch of {many}"
    ended = [
        f"{label} diverged in epoch {r.trained}"
        if r.status == "diverged"
        else f"{label} was stopped early, after epoch {r.stopped_epoch}"
        for label, r in pairs
        if r.status == "diverged" or r.stopped_epoch
    ]
    return ". ".join([start, *said, *ended]) + "."


_LOOK_CLASSES = (
    "Each panel is one model. The colour is its most probable class, paler where its confidence is "
    "lower; the lines are its decision boundaries. Ask which bends follow the pattern and which "
    "follow single points."
)
_LOOK = {
    "boundary": "Each panel is one model. The colour is its P(class 1), the line is its decision "
    "boundary. Ask which bends follow the pattern and which follow single points.",
    "difference": "The colour is the second model's P(class 1) minus the first's. Ask where the "
    "technique changed the prediction, and whether there are points there.",
    "curves": "Dashed is training, solid is validation; the star marks the lowest validation "
    "loss. Ask where the two curves separate, and whether the validation loss rises again.",
    "accuracy": "Dashed is training, solid is validation. Ask how far apart they end, and whether "
    "the accuracy shows over-fitting as early as the loss does.",
    "histogram": "Each panel is one weight matrix, without biases. Ask which technique narrows the "
    "distribution and which sets some weights to exactly 0.",
    "numbers": "The gap is training minus validation accuracy. Ask which model you would "
    "choose, and which single number would have shown it.",
}


def verdicts(runs: Runs) -> list[str]:
    """Return what each run's numbers say about its fit, one sentence each."""
    found = runs.verdicts
    if found is None:
        found = tuple(verdict.judge_frame(runs.last, [e.data for e in runs.experiments])[1])
    return [
        f"{_capital(label)}: {verdict.kind}. {verdict.reason}"
        for label, verdict in zip(runs.labels, found, strict=True)
    ]


def notes(figure: str, runs: Runs, slide: Slide) -> str:
    """Return the speaker notes of one figure: what to say, and how to make it again."""
    chart = runs.chart(figure)
    if chart is not None:
        return chart.notes
    document = experiments_to_json(runs.experiments, indent=None)
    link = slide.link or f"the app's address followed by /?e={to_link(runs.experiments[-1])}"
    if runs.experiments[-1].data.points is not None:
        link = "none, because own data does not travel in a link; the line below holds it"
    parts = [
        "What to say",
        _LOOK_CLASSES
        if figure == "boundary" and runs.kinds > 2
        else _LOOK[figure].replace("class 1", runs.one),
        *verdicts(runs),
        "",
        "How to reproduce",
        caption(runs.experiments),
        f"In the browser: {link}",
        "From the command line: save the next line as spec.json, then",
        f"python -m regviz render spec.json -o slide.png --figure {figure} --theme {slide.theme}",
        document,
    ]
    return "\n".join(parts)


def plain(text: str) -> str:
    """Return a title of Plotly's without its markup."""
    return re.sub(r"<[^>]*>", "", text)


def stem(*parts: str) -> str:
    """Return a file name without extension of these words: letters, digits, dots and dashes."""
    named = _ascii(" ".join(parts))
    return re.sub(r"[^a-z0-9.]+", "-", named).strip("-.")[:100].rstrip("-.") or "slide"


def _ascii(text: str) -> str:
    """Return text in lower case with accents taken off: what every file system holds."""
    whole = unicodedata.normalize("NFKD", text)
    return "".join(c for c in whole if not unicodedata.combining(c)).lower()


def run_name(page: str, experiments: Sequence[Experiment]) -> str:
    """Return a page's name and what its last run differs in, as a file name without extension."""
    said = labels(experiments)[-1]
    return stem(page, said)[:80].rstrip("-.")
