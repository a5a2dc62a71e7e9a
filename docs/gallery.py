"""Make the images and the deck of docs/use.md from ``docs/specs``, without a browser or server.

::

    python -m docs.gallery             # writes docs/gallery/ and docs/example.pptx
    python -m docs.gallery --only l1   # only files with that in their names

Each line of ``GALLERY`` is a spec and a slide. ``TWINS`` are drawn beside the same experiment
without regularization; ``SWEEPS`` are trained over a range and drawn as a curve or a heat map.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from regviz.figures.palette import LIGHT
from regviz.render import Source, obtain, obtain_sweep, source_from_value
from regviz.results.sweeps import Axis, Sweep, spread
from regviz.slides import SWEEP, Runs, Slide, render
from regviz.slides.deck import DeckSlide, build, deck_slides
from regviz.specs import parse_json

DOCS = Path(__file__).resolve().parent
TWINS = ("dropout-and-l2", "l1-zeros", "early-stopping")
SWEEPS: dict[str, tuple[tuple[Axis, ...], int]] = {
    "sweep": (
        (
            spread("regularization.l2", 1e-4, 1.0, 9),
            spread("regularization.dropout", 0.0, 0.8, 9),
        ),
        1,
    ),
    "sweep-seeds": ((spread("regularization.l2", 1e-5, 1.0, 13),), 5),
}
"""Fields of a spec's sweep and its number of seeds; the spec's name may end in ``-seeds``."""

GALLERY: dict[str, tuple[str, Slide]] = {
    "dropout-and-l2.png": ("dropout-and-l2", Slide(scale=1)),
    "dropout-and-l2.webp": ("dropout-and-l2", Slide(frames=40, seconds=5)),
    "l1-zeros-dark.png": ("l1-zeros", Slide(figures=("histogram",), theme="dark", scale=1)),
    "early-stopping.svg": ("early-stopping", Slide(figures=("curves",))),
    "l2-from-none-to-too-much.png": (
        "l2-from-none-to-too-much",
        Slide(figures=("boundary",), title="L2 from none to too much", scale=1),
    ),
    "plane.png": ("sweep", Slide(figures=(SWEEP,), scale=1)),
}
"""Files in ``docs/gallery``: spec and slide."""

DECK: tuple[tuple[str, Slide], ...] = (
    ("dropout-and-l2", Slide(figures=("boundary", "curves", "numbers"), scale=1)),
    ("l1-zeros", Slide(figures=("histogram",), scale=1)),
    ("early-stopping", Slide(figures=("curves",), scale=1)),
    ("l2-from-none-to-too-much", Slide(figures=("boundary",), scale=1)),
    ("sweep-seeds", Slide(figures=(SWEEP,), scale=1)),
    ("sweep", Slide(figures=(SWEEP,), scale=1)),
)


def trained(spec: str) -> Runs:
    """Train a spec of ``docs/specs``, with frames for an animation, or its sweep."""
    file = spec.removesuffix("-seeds")
    source = source_from_value(parse_json((DOCS / "specs" / f"{file}.json").read_bytes()))
    experiments = source.experiments
    if spec in SWEEPS:
        axes, seeds = SWEEPS[spec]
        lanes = Source(Sweep(experiments[0], axes, seeds).experiments)
        drawn = obtain_sweep(lanes, measure="val_loss", palette=LIGHT)
        assert drawn is not None
        return drawn
    if spec in TWINS:
        experiments = (experiments[0].without_regularization(), *experiments)
    runs, _ = obtain(Source(experiments), figures=(), formats=("webp",), frames=40)
    assert runs is not None
    return runs


def main(arguments: list[str] | None = None) -> None:
    """Make the files that the command line names."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/use.md.")
    parser.add_argument("folder", nargs="?", type=Path, default=DOCS)
    parser.add_argument("--only", default="", help="files with this in their names")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    done: dict[str, Runs] = {}

    def of(spec: str) -> Runs:
        if spec not in done:
            done[spec] = trained(spec)
        return done[spec]

    for name, (spec, slide) in GALLERY.items():
        if options.only in name:
            _write(options.folder / "gallery" / name, render(of(spec), slide, name.split(".")[-1]))
    if options.only in "example.pptx":
        slides: list[DeckSlide] = []
        for spec, slide in DECK:
            slides += deck_slides(of(spec), slide)
        _write(options.folder / "example.pptx", build(slides))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    print(f"{path}: {len(content) / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
