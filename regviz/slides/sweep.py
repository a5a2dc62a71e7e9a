"""A sweep's curve or plane as a chart for slides, with the words that go with it."""

from __future__ import annotations

from regviz.figures import sweeps as sweep_figures
from regviz.figures.palette import Palette
from regviz.results import sweeps
from regviz.results.sweeps import MEASURES, Outcome, Sweep
from regviz.slides import words
from regviz.slides.runs import Chart
from regviz.slides.slide import SWEEP
from regviz.specs import SpecError, did_you_mean, experiments_to_json


def check(measure: str) -> None:
    """Refuse a measure that does not exist."""
    if measure not in MEASURES:
        meant = did_you_mean(measure, tuple(MEASURES))
        raise SpecError(f'measure: got "{measure}"{meant}; choose one of {", ".join(MEASURES)}.')


def title(sweep: Sweep, measure: str) -> str:
    """Return what stands over the figure."""
    return f"{MEASURES[measure]} over {' and '.join(axis.label for axis in sweep.axes)}"


def chart(sweep: Sweep, seen: Outcome, measure: str, palette: Palette) -> Chart:
    """Return the validation curve of one field, or the plane of two, as a chart.

    Raises
    ------
    SpecError
        If there is no such measure.
    """
    check(measure)
    plane = len(sweep.axes) == 2
    draw = sweep_figures.plane if plane else sweep_figures.validation_curve
    said = sweeps.sentence(sweep, seen)
    return Chart(
        name=SWEEP,
        title=title(sweep, measure),
        figure=draw(sweep, seen, measure, palette).to_json(),
        alt=f"{'Heat map' if plane else 'Curve'} of {len(sweep.experiments)} models. {said}",
        caption=caption(sweep, seen),
        notes=_notes(sweep, measure, said, seen),
    )


def caption(sweep: Sweep, seen: Outcome) -> str:
    """Return all settings, the values, the seeds, and what band and marks are."""
    over = [
        f"{axis.label}: {len(axis.values)} values from {axis.texts[0]} to {axis.texts[-1]}"
        for axis in sweep.axes
    ]
    first = sweep.base.training.seed
    parts = [words.caption(sweep.experiments), *over]
    if sweep.seeds > 1:
        parts.append(f"seeds {first} to {first + sweep.seeds - 1}")
        if len(sweep.axes) == 1:
            parts.append("line: mean, band: ± 1 standard error, points: single seeds")
        else:
            parts.append("each cell: mean over the seeds")
    parts.append("star: lowest mean validation loss")
    if len(sweep.axes) == 1 and sweeps.one_standard_error(sweep.axes[0], seen) is not None:
        parts.append("diamond: most regularized value within one standard error of the star")
    return " · ".join(parts)


def _notes(sweep: Sweep, measure: str, said: str, seen: Outcome) -> str:
    if len(sweep.axes) == 1:
        look = (
            "Each value on the axis is a separate model; solid is validation, dashed is training. "
            "Ask on which side of the star the models under-fit, and on which they over-fit."
        )
    else:
        look = (
            "Each cell is a separate model. Ask whether one technique can replace the other: if "
            "the low values lie along a diagonal, more of one makes up for less of the other."
        )
    asked = "" if measure == "val_loss" else f" --measure {measure}"
    parts = [
        "What to say",
        look,
        said,
        "",
        "How to reproduce",
        caption(sweep, seen),
        "From the command line: save the last line as experiment.json, then",
        sweep.command,
        f"python -m regviz render result.json --figure {SWEEP}{asked} -o slide.png",
        experiments_to_json([sweep.base], indent=None),
    ]
    return "\n".join(parts)
