"""The command line: train without a browser (``run``, ``sweep``), make slides of it (``render``)
or start the app (``serve``).

The result goes to the file of ``-o``, else to standard output; progress and the summary go to
standard error. ``-`` as a file to read is standard input. Exit code 0: trained. 2: refused, with
one sentence on standard error, or the result was written to another file, which the sentence names.
130: interrupted; the epochs trained so far are written.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from regviz._version import __version__
from regviz.results.output import STANDARD, open_standard_streams, say, silence
from regviz.results.output import bytes_output as _output_bytes
from regviz.results.output import text_output as _output
from regviz.specs import (
    MAX_LANES,
    Experiment,
    SpecError,
    did_you_mean,
    experiments_from_json,
    parse_json,
    to_link,
)
from regviz.specs.cautions import cautions

if TYPE_CHECKING:
    from regviz.render import Source

# Nothing here imports torch before a run is known to be good: a mistyped field is answered in
# a tenth of a second, not in two.

INTERRUPTED = 130
_MOST_TOLD = 20  # runs of which each one's verdict is printed
REFUSED = 2
_MOST_BYTES = 512 << 20  # of a file that is read; more is no spec, and may never end


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    open_standard_streams()
    parser = _parser()
    try:
        arguments, others = parser.parse_known_args(argv)
        if others:  # reported by the command that was asked for, which knows its options
            arguments.parser.error(f"unrecognized arguments: {' '.join(others)}")
        if arguments.command is None:
            parser.print_help()
            return 0
        code: int = arguments.command(arguments)
    except SpecError as error:
        say(str(error))
        return REFUSED
    except MemoryError:
        say("There is not enough memory for this; give fewer or smaller models.")
        return REFUSED
    except KeyboardInterrupt:  # before there was anything to keep
        return INTERRUPTED
    finally:
        _flush()
    return code


def _flush() -> None:
    """Flush buffered output such as the help; a closed pipe (``| head``) is not a failure."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            silence(sys.stdout)
        except OSError as error:
            silence(sys.stdout)
            say(f"standard output: cannot be written: {error.strerror}.")
            raise SystemExit(REFUSED) from None


class _Parser(argparse.ArgumentParser):
    """argparse with one sentence for a mistake instead of the usage text."""

    def error(self, message: str) -> NoReturn:
        message = f"{message[:1].upper()}{message[1:]}{self._meant(message)}"
        self.exit(REFUSED, f"{message}; see {self.prog} --help.\n")

    def _meant(self, message: str) -> str:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)$", message)
        if choice:
            return did_you_mean(choice[1], re.findall(r"[\w-]+", choice[2]))
        option = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        if option:
            return did_you_mean(option[1], re.findall(r"--[a-z][\w-]*", self.format_help()))
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m regviz",
        description="See what regularization does to a neural network.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"regviz {__version__}")
    parser.set_defaults(command=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="{run,sweep,render,table,serve}")

    run = commands.add_parser(
        "run", help="train the experiments of a file", description="Train a file's experiments."
    )
    run.set_defaults(command=_run, parser=run)

    sweep = commands.add_parser(
        "sweep",
        help="train one experiment over many values of its fields",
        description="Train the product of all values given with --over and of all seeds.",
        epilog="example: python -m regviz sweep spec.json "
        "--over regularization.weight_decay=0,1e-6,1e-4 --seeds 3 -o result.json",
    )
    sweep.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="FIELD=V1,V2,...",
        help="a field of the experiment and its values, as JSON; may be given several times, "
        "the last one varies fastest",
    )
    sweep.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="train each with N seeds, from the file's training.seed upward (default: 1)",
    )
    sweep.set_defaults(command=_sweep, parser=sweep)

    for command in (run, sweep):
        command.add_argument(
            "spec", metavar="SPEC.json", help="the experiment file, - for standard input"
        )
        command.add_argument(
            "-o",
            "--output",
            metavar="RESULT.json",
            help="file to write the result to (default: standard output)",
        )
        command.add_argument(
            "--device",
            choices=("auto", "cpu", "cuda"),
            help="where to train (default: REGVIZ_DEVICE, else auto)",
        )

    _add_render(commands)
    _add_table(commands)

    serve = commands.add_parser(
        "serve", help="start the app", description="Start the app and its trainer processes."
    )
    serve.add_argument("--port", type=int, help="port to listen on (default: 8501)")
    serve.add_argument(
        "--address", help="address to listen on (default: all addresses of this machine)"
    )
    serve.set_defaults(command=_serve, parser=serve)
    return parser


def _add_render(commands: argparse._SubParsersAction[Any]) -> None:
    render = commands.add_parser(
        "render",
        help="make slides of experiments or of their results",
        description="Make pictures, animations, a page or a deck. A spec is trained first. A "
        "result file is drawn as it is; what it does not hold (weights, the frames of an "
        "animation) is trained again.",
        epilog="example: python -m regviz render spec.json -o slide.png -o deck.pptx --twin",
    )
    render.add_argument(
        "source", metavar="SPEC-or-RESULT.json", help="file to draw, - for standard input"
    )
    render.add_argument(
        "-o",
        "--output",
        action="append",
        required=True,
        metavar="FILE",
        help="file to write; its ending is the format: png, svg, pdf, html, gif, webp or pptx; may "
        "be given several times",
    )
    render.add_argument(
        "--figure",
        action="append",
        metavar="NAME",
        help="boundary, difference (of two runs), curves, accuracy, histogram or numbers; may be "
        "given several times (default: boundary and curves). Or sweep, alone: the curve or heat "
        "map of a result of `regviz sweep`",
    )
    render.add_argument(
        "--measure",
        metavar="NAME",
        help="for --figure sweep: val_loss, train_loss, val_accuracy, gap, zeros or best_epoch "
        "(default: val_loss)",
    )
    render.add_argument(
        "--layout",
        metavar="NAME",
        help="one, two (side by side) or grid (2x2) (default: the smallest that holds all figures)",
    )
    render.add_argument("--theme", default="light", help="light or dark (default: light)")
    render.add_argument(
        "--font-size",
        type=float,
        default=18,
        metavar="PT",
        help="font size in points (default: 18)",
    )
    render.add_argument(
        "--title", metavar="TEXT", help="title of the slide (default: made from the settings)"
    )
    render.add_argument(
        "--caption",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the settings below the figures (default: yes)",
    )
    render.add_argument(
        "--link",
        metavar="ADDRESS",
        help="address of your app: adds a QR code that opens the experiment",
    )
    render.add_argument(
        "--twin",
        action="store_true",
        help="also train and draw the first experiment with no regularization, as the app does",
    )
    render.add_argument("--runs", metavar="1,2,...", help="draw only these runs of the file")
    render.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="TEXT",
        help="name of a run; give one for each",
    )
    render.add_argument(
        "--epoch", type=int, metavar="N", help="draw this epoch (default: the last)"
    )
    render.add_argument(
        "--frames", type=int, default=60, metavar="N", help="frames of an animation (default: 60)"
    )
    render.add_argument(
        "--seconds", type=float, default=6, metavar="S", help="length of an animation (default: 6)"
    )
    render.add_argument(
        "--scale",
        type=float,
        default=2,
        metavar="X",
        help="size of a png: 1920x1080 times X (default: 2)",
    )
    render.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="cpu",
        help="where to train (default: cpu)",
    )
    render.set_defaults(command=_render, parser=render)


def _add_table(commands: argparse._SubParsersAction[Any]) -> None:
    table = commands.add_parser(
        "table",
        help="read a table as Your own data does",
        description="Read a table (CSV, text, .xlsx, .ods) and say how it is understood, as JSON: "
        "its columns, which are the inputs and the label, the first and the last row, and notes.",
        epilog='example: python -m regviz table iris.csv --inputs "petal length,petal width" '
        "-o spec.json",
    )
    table.add_argument("file", metavar="FILE", help="the table")
    table.add_argument(
        "--inputs", metavar="A,B", help="two columns of numbers (default: the first two that fit)"
    )
    table.add_argument("--label", metavar="C", help="the column of the classes (default: found)")
    table.add_argument(
        "--missing",
        default="refuse",
        metavar="refuse|drop",
        help="refuse a table with missing values, or drop those rows (default: refuse)",
    )
    table.add_argument(
        "--decimal", metavar=".|,", help="the decimal sign, where numbers can be read in two ways"
    )
    table.add_argument("--sheet", metavar="NAME", help="of a workbook (default: the first)")
    table.add_argument("-o", "--output", metavar="SPEC.json", help="write an experiment on it")
    table.set_defaults(command=_table, parser=table)


def _run(arguments: argparse.Namespace) -> int:
    _check_apart(arguments.spec, arguments.output)
    experiments = _read(arguments.spec)
    return _train(experiments, arguments)


def _sweep(arguments: argparse.Namespace) -> int:
    _check_apart(arguments.spec, arguments.output)
    axes = [_axis(text) for text in arguments.over]
    experiments = sweep_experiments(_read(arguments.spec), axes, seeds=arguments.seeds)
    return _train(experiments, arguments)


def _render(arguments: argparse.Namespace) -> int:
    from regviz import slides

    formats = [_format(path, tuple(slides.FORMATS)) for path in arguments.output]
    targets = [os.path.realpath(path) for path in arguments.output]
    for path, target in zip(arguments.output, targets, strict=True):
        if targets.count(target) > 1 and path not in ("/dev/null", "/dev/stdout"):
            raise SpecError(f"-o: {path} is given twice; give each file once.")
    slides.check_figures(arguments.figure or (), (slides.SWEEP,))
    swept = slides.SWEEP in (arguments.figure or ())
    _check_swept(arguments, formats, swept=swept)
    slide = slides.Slide(
        figures=tuple(arguments.figure or ("boundary", "curves")),
        layout=arguments.layout,
        theme=arguments.theme,
        font_size=arguments.font_size,
        title=arguments.title,
        caption=arguments.caption,
        frames=arguments.frames,
        seconds=arguments.seconds,
        scale=arguments.scale,
    )
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from regviz import render

    source = _source(arguments)
    if arguments.link is not None:
        link = _address(arguments.link, source.experiments[-1])
        slide = dataclasses.replace(slide, link=link)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(_output_bytes(path)) for path in arguments.output]
        interrupted = stack.enter_context(_interruption())
        device = "cpu"
        if arguments.device != "cpu":
            from regviz.training.run import pick_device

            device = pick_device(arguments.device)
        with _progress_bar(sys.stderr) as progress:
            if swept:
                runs, remark = (
                    render.obtain_sweep(
                        source,
                        measure=arguments.measure or "val_loss",
                        palette=slide.palette,
                        device=device,
                        progress=progress,
                        should_stop=lambda: bool(interrupted),
                    ),
                    "",
                )
            else:
                runs, remark = render.obtain(
                    source,
                    figures=slide.figures,
                    formats=formats,
                    frames=slide.frames,
                    epoch=arguments.epoch,
                    labels=arguments.label,
                    device=device,
                    progress=progress,
                    should_stop=lambda: bool(interrupted),
                )
        if runs is None:
            return INTERRUPTED
        if arguments.figure is None and not runs.has("boundary"):
            slide = dataclasses.replace(slide, figures=("curves", "accuracy"))
        # all are drawn before the first is written: a refused one leaves nothing behind
        files = [slides.render(runs, slide, format) for format in formats]
        for write, file in zip(writers, files, strict=True):
            write(file)
    unseen = slides.unseen(runs, slide) if set(formats) - {"html"} else ""
    for said in filter(None, (remark, unseen)):
        say(f"{arguments.source}: {said}")
    for path, file in zip(arguments.output, files, strict=True):
        say(f"{path}: {len(file) / 1000:,.0f} kB")
    return 0


def _check_apart(source: str, output: str | None) -> None:
    """Refuse to overwrite the experiment file with its result."""
    if output is not None:
        with contextlib.suppress(OSError):
            if os.path.isfile(output) and os.path.samefile(source, output):
                raise SpecError(f"-o: {output} is the experiment file itself; give another name.")


def _check_swept(arguments: argparse.Namespace, formats: Sequence[str], *, swept: bool) -> None:
    """Refuse options that do not fit the figure of a sweep, before anything is trained."""
    from regviz.slides import SWEEP

    if not swept:
        if arguments.measure is not None:
            raise SpecError(f"--measure: it goes with --figure {SWEEP} only; leave it out.")
        return
    if arguments.figure != [SWEEP]:
        raise SpecError(
            f"--figure: {SWEEP} cannot be combined with other figures; draw them separately."
        )
    for path, format in zip(arguments.output, formats, strict=True):
        if format in ("gif", "webp"):
            raise SpecError(
                f"{path}: the figure of a sweep cannot be animated; choose png, svg, pdf, html or "
                "pptx."
            )
    given = {
        "--twin": arguments.twin,
        "--label": bool(arguments.label),
        "--epoch": arguments.epoch is not None,
        "--layout": arguments.layout is not None,
    }
    for name, was in given.items():
        if was:
            raise SpecError(f"{name}: it cannot be combined with --figure {SWEEP}; leave it out.")


def _format(path: str, known: Sequence[str]) -> str:
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in known:
        got = f"unknown format .{ending}" if ending else "the name has no ending"
        raise SpecError(f"{path}: {got}; end it in {', '.join(known)}.")
    return ending


def _table(arguments: argparse.Namespace) -> int:
    from regviz.specs import DataSpec, experiments_to_json
    from regviz.tables import choice, process

    _check_apart(arguments.file, arguments.output)
    content = _bytes(arguments.file, "a table of at most a megabyte")
    try:
        sheet = process.read(content, decimal=arguments.decimal, sheet=arguments.sheet)
        inputs = None if arguments.inputs is None else _columns(arguments.inputs, sheet.names)
        table = choice.choose(
            sheet, inputs=inputs, label=arguments.label, missing=arguments.missing
        )
        experiment = Experiment(table.data(DataSpec()))
    except SpecError as error:
        raise SpecError(f"{_named(arguments.file)}: {error}") from None
    document = {
        "columns": sheet.names,
        "inputs": table.inputs,
        "label": table.label,
        "classes": table.classes,
        "rows": table.rows,
        "dropped": table.dropped,
        "notes": table.notes,
        "first": [table.first],
        "last": [table.last],
    }
    if arguments.output is not None:
        with _output(arguments.output) as write:
            write(experiments_to_json([experiment]) + "\n")
    plain = (getattr(sys.stdout, "encoding", None) or "").lower() not in ("utf-8", "utf8")
    with _output(None) as write:
        write(json.dumps(document, ensure_ascii=plain, allow_nan=False) + "\n")
    return 0


def _columns(text: str, names: Sequence[str]) -> list[str]:
    """Read ``A,B``, where the names themselves may hold commas."""
    known = {name.casefold() for name in names}
    parts = [part.strip() for part in text.split(",")]
    for k in range(1, len(parts)):
        pair = [", ".join(parts[:k]), ", ".join(parts[k:])]
        if all(name.casefold() in known for name in pair):
            return pair
    return parts


def _source(arguments: argparse.Namespace) -> Source:
    from regviz.render import Source, source_from_value
    from regviz.slides import MAX_RUNS

    path = _named(arguments.source)
    content = _bytes(arguments.source)  # says the path itself
    try:
        source = source_from_value(parse_json(content))
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    if arguments.runs is not None:
        try:
            numbers = [int(part) for part in arguments.runs.split(",")]
        except ValueError:
            raise SpecError(f'--runs: got "{arguments.runs}"; give numbers, as in 1,3.') from None
        source = source.only(numbers)
    if arguments.twin:
        if source.lanes is not None:
            raise SpecError("--twin: a result file holds finished runs only; give a spec instead.")
        plain = source.experiments[0].without_regularization()
        source = Source((plain, *source.experiments))
    if len(source.experiments) > MAX_RUNS and "sweep" not in (arguments.figure or ()):
        raise SpecError(
            f"{path}: holds {len(source.experiments)} runs and a slide holds {MAX_RUNS}; choose "
            "some with --runs, or draw a sweep with --figure sweep."
        )
    if arguments.label and len(arguments.label) != len(source.experiments):
        raise SpecError(
            f"--label: got {len(arguments.label)} for {len(source.experiments)} runs; give one "
            "for each."
        )
    return source


def _address(address: str, experiment: Experiment) -> str:
    if not re.fullmatch(r"https?://[^\s?#]+", address):
        raise SpecError(f'--link: got "{address}"; give an address that starts with https://.')
    if experiment.data.points is not None:
        raise SpecError("--link: own data does not travel in a link; leave it out.")
    return f"{address.rstrip('/')}/?e={to_link(experiment)}"


def _serve(arguments: argparse.Namespace) -> int:
    from regviz.ui.server import serve

    serve(port=arguments.port, address=arguments.address)
    return 0


# --- what to train -----------------------------------------------------------------------------


def _bytes(path: str, wanted: str = "an experiment file") -> bytes:
    """Return what is in a file, or in standard input for ``-``."""
    try:
        if path != STANDARD:
            with open(path, "rb") as file:
                content = file.read(_MOST_BYTES + 1)
        elif sys.stdin is not None:
            content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            raise SpecError("standard input: it is closed; give a file, or pipe one in.")
    except OSError as error:
        raise SpecError(f"{_named(path)}: cannot be read: {error.strerror}.") from None
    if len(content) > _MOST_BYTES:
        raise SpecError(f"{_named(path)}: holds more than {_MOST_BYTES >> 20} MiB; give {wanted}.")
    return content


def _named(path: str) -> str:
    return "standard input" if path == STANDARD else path


def _read(path: str) -> tuple[Experiment, ...]:
    text = _bytes(path)
    try:
        return experiments_from_json(text)
    except SpecError as error:
        raise SpecError(f"{_named(path)}: {error}") from None


def _axis(text: str) -> tuple[str, list[Any]]:
    """Read ``FIELD=V1,V2``: the values are JSON, and a bare word is a string."""
    field, equals, values = text.partition("=")
    if not equals or not field.strip() or not values.strip():
        raise SpecError(f'--over: got "{text}"; give FIELD=VALUE,VALUE.')
    try:
        return field, list(json.loads(f"[{values}]"))
    except ValueError:  # bare words, as in data.kind=moons,xor
        return field, [_scalar(value.strip()) for value in values.split(",")]


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def sweep_experiments(
    bases: Sequence[Experiment], axes: Sequence[tuple[str, Sequence[Any]]], *, seeds: int = 1
) -> list[Experiment]:
    """Return every combination of the axes' values for each base, the last axis fastest.

    Parameters
    ----------
    bases
        The experiments to start from.
    axes
        (path of a field, its values), as :meth:`Experiment.replace` takes them.
    seeds
        Each combination comes with this many values of ``training.seed``, counted up from the
        base's.

    Raises
    ------
    SpecError
        If a field or value does not exist, a field is given twice, or there would be more than
        1024 experiments.
    """
    if not 1 <= seeds <= MAX_LANES:
        raise SpecError(f"--seeds: got {seeds}; give a whole number from 1 to {MAX_LANES}.")
    if seeds > 1:
        axes = [*axes, ("training.seed", range(seeds))]
    paths = [path for path, _ in axes]
    for path in paths:
        if paths.count(path) > 1:
            other = " or --seeds" if path == "training.seed" and seeds > 1 else ""
            raise SpecError(f"--over: {path} is varied twice; give one --over{other} for it.")
    count = len(bases)
    for _, values in axes:
        count *= len(values)
    if count > MAX_LANES:
        raise SpecError(f"--over: asks for {count} experiments; give at most {MAX_LANES}.")
    out = []
    for base in bases:
        for values in itertools.product(*(values for _, values in axes)):
            experiment = base
            for path, value in zip(paths, values, strict=True):
                seeded = path == "training.seed" and seeds > 1
                experiment = experiment.replace(
                    path, base.training.seed + value if seeded else value
                )
            out.append(experiment)
    return out


# --- training and its result -------------------------------------------------------------------


def _train(experiments: Sequence[Experiment], arguments: argparse.Namespace) -> int:
    # small models lose by more threads, thirtyfold on a machine that is busy; and the trainers of
    # the app have one each, so both get the same numbers
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with _output(arguments.output) as write, _interruption() as interrupted:
        from regviz.training.run import fit, pick_device

        device = pick_device(
            arguments.device or os.environ.get("REGVIZ_DEVICE", "").strip() or "auto"
        )
        start = time.monotonic()
        with _progress_bar(sys.stderr) as progress:
            results = fit(
                experiments,
                device=device,
                progress=progress,
                should_stop=lambda: bool(interrupted),
            )
        seconds = time.monotonic() - start
        runs = [result.to_dict() for result in results]
        document = {"runs": runs, "device": device, "seconds": round(seconds, 3)}
        # strict, because NaN is no JSON and other programs read this file
        write(json.dumps(document, allow_nan=False) + "\n")
    say(_summary(runs, seconds))
    for said in _cautions(experiments):
        say(said)
    return INTERRUPTED if interrupted else 0


@contextlib.contextmanager
def _interruption() -> Iterator[list[int]]:
    """Collect SIGINT, SIGTERM and SIGHUP (the terminal was closed; not under ``nohup``) in a list,
    so that training can end in good order.

    Only the first is caught: a second one ends the process at once.
    """
    caught: list[int] = []
    numbers = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) != signal.SIG_IGN:
        numbers.append(hang_up)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def catch(number: int, _: FrameType | None) -> None:
        caught.append(number)
        restore()

    for number in before:
        signal.signal(number, catch)
    try:
        yield caught
    finally:
        restore()


@contextlib.contextmanager
def _progress_bar(stream: TextIO | None) -> Iterator[Callable[[int, int], None] | None]:
    """Yield the function that redraws the bar, or None if the stream is no terminal."""
    if stream is None or not stream.isatty():
        yield None
        return
    start = time.monotonic()
    width, drawn = 30, -1

    def show(epoch: int, epochs: int) -> None:
        nonlocal drawn
        now = time.monotonic() - start
        if int(now * 10) == drawn and epoch < epochs:  # ten times a second is enough
            return
        drawn = int(now * 10)
        bar = "█" * (width * epoch // epochs)
        left = f", {now * (epochs - epoch) / epoch:.0f} s left" if now > 1 else ""
        draw(f"\r{bar:░<{width}} epoch {epoch}/{epochs}{left} \x1b[K")

    def draw(text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):  # the terminal is gone; the training is not
            silence(stream)

    try:
        yield show
    finally:
        draw("\r\x1b[K")


def _summary(runs: Sequence[dict[str, Any]], seconds: float) -> str:
    """Return a table of the runs: how each ended, its losses, and the fields that differ."""
    lines = ["run  status     epochs  best epoch  best val loss  last train loss  last val loss"]
    for number, (run, label) in enumerate(zip(runs, _labels(runs), strict=True), 1):
        history, best = run["history"], run["best_epoch"]
        losses = [
            history["val_loss"][best - 1] if best else None,
            *(history[name][-1] if history[name] else None for name in ("train_loss", "val_loss")),
        ]
        shown = ["-" if loss is None else f"{loss:.4f}" for loss in losses]
        line = (
            f"{number:>3}  {run['status']:<9}  {len(history['epoch']):>6}  {best or '-':>10}"
            f"  {shown[0]:>13}  {shown[1]:>15}  {shown[2]:>13}  {label}"
        )
        lines.append(line.rstrip())
    back = [str(n) for n, run in enumerate(runs, 1) if run["restored_best_weights"]]
    if back:
        which = ", ".join(back) if len(back) <= 10 else f"{len(back)} of {len(runs)}"
        lines.append(
            f"best weights restored: {'run' if len(back) == 1 else 'runs'} {which}; weights and "
            "boundary in the result are from the best epoch"
        )
    models = "1 model" if len(runs) == 1 else f"{len(runs)} models"
    return "\n".join([*lines, *_verdicts(runs), f"{models} in {seconds:.1f} s"])


def _verdicts(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return each run's verdict with its reason; of many runs, how often each kind was given."""
    if len(runs) > _MOST_TOLD:
        counts = Counter(run["verdict"]["kind"] for run in runs)
        told = ", ".join(f"{kind} {count}" for kind, count in counts.most_common())
        return [f"verdicts: {told} (reasons: see the result file)"]
    return [
        f"{number:>3}  {run['verdict']['kind']}: {run['verdict']['reason']}"
        for number, run in enumerate(runs, 1)
    ]


def _cautions(experiments: Sequence[Experiment]) -> list[str]:
    """Return the cautions about conflicting settings, each once."""
    found: dict[str, list[int]] = {}
    for number, e in enumerate(experiments, 1):
        for field, said in cautions(e).items():
            found.setdefault(f"{field}: {said}", []).append(number)
    if len(experiments) == 1:
        return list(found)
    return [
        f"{said} (in {len(numbers)} of {len(experiments)} runs)" for said, numbers in found.items()
    ]


def _labels(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return for each run the fields in which the runs differ, as ``name=value``."""
    flat = [
        {(group, name): json.dumps(value) for group, fields in run["experiment"].items()
         for name, value in fields.items()}
        for run in runs
    ]  # fmt: skip
    keys = dict.fromkeys(key for fields in flat for key in fields)
    varied = [key for key in keys if len({fields.get(key) for fields in flat}) > 1]
    return [
        " ".join(f"{key[1]}={fields[key]}" for key in varied if key in fields) for fields in flat
    ]
