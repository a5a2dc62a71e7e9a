"""Students of the tests of faults: what their pages show while something happens to the server."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from playwright.sync_api import expect

from regviz.specs import Experiment
from tests.browsing import PATIENCE
from tests.test_playground_browser import DRAWN, LONG, Visitor

WATCH = """() => {
    window.watched = []
    clearInterval(window.watching)
    window.watching = setInterval(() => {
        const words = document.querySelector('.st-key-run-status')?.textContent ?? ''
        const [, epoch] = words.match(/epoch (\\d+)/) ?? []
        const [word] = words.match(/queued|running|paused|finished|failed/) ?? []
        const notes = document.querySelector('.st-key-verdicts')?.textContent ?? ''
        const canvas = document.querySelector('.st-key-decision-boundary canvas')
        watched.push([Number(epoch ?? -1), word ?? '', notes.includes('restarted'),
            document.querySelectorAll('.stAlert, .stException').length,
            canvas?.width ?? -1])
    }, 40)
}"""
RESTARTED = "The trainer was restarted; the run started again."
Record = Callable[[str, object], None]
_seeds = itertools.count(7000)

# some minutes, if nobody stopped it
SLOW = LONG.replace("model.hidden", [128, 128]).replace("data.n_samples", 500)
OTHER = SLOW.replace("model.hidden", [96, 96, 96])


def anew(experiment: Experiment) -> Experiment:
    """Return the experiment with a seed of its own: runs are shared and cached."""
    return experiment.replace("training.seed", next(_seeds))


class Student(Visitor):
    """A visitor whose page writes down what it shows while something happens."""

    def goes_on(self, past: int | None = None, seconds: float = PATIENCE) -> int:
        """Wait until the page shows an epoch past ``past`` (default: the one it shows now)."""
        self.page.wait_for_function(
            """(past) => {
                const words = document.querySelector('.st-key-run-status')?.textContent ?? ''
                return Number(words.match(/epoch (\\d+)/)?.[1] ?? -1) > past
            }""",
            arg=self.epoch() if past is None else past,
            timeout=1000 * seconds,
        )
        return self.epoch()

    def epoch(self) -> int:
        found = re.search(r"epoch (\d+)/", self.status.inner_text())
        assert found is not None
        return int(found[1])

    def trains(self, experiment: Experiment) -> None:
        """Open an experiment and see it run."""
        self.open(experiment)
        self.goes_on(2)
        self.page.wait_for_function(DRAWN)

    def is_told_of_a_restart(self) -> None:
        expect(self.page.locator(".st-key-verdicts")).to_contain_text(RESTARTED)

    def watch(self) -> None:
        self.page.evaluate(WATCH)

    def saw(self) -> list[tuple[int, str, bool, int, int]]:
        """Return what the page showed since: epoch, word, whether a restart was told, alerts,
        the width of the picture."""
        return [tuple(seen) for seen in self.page.evaluate("() => watched")]

    def noticed_nothing(self, *, but_a_restart: bool = False) -> None:
        """Check that the picture never was gone, went back or stopped with an error."""
        saw = self.saw()
        assert saw
        epochs = [epoch for epoch, *_ in saw]
        assert epochs == sorted(epochs)
        assert {word for _, word, *_ in saw} <= {"running", "finished"} | (
            {"queued"} if but_a_restart else set()
        )
        assert but_a_restart or not any(told for _, _, told, *_ in saw)
        assert not any(alerts for *_, alerts, _ in saw)
        assert len({width for *_, width in saw}) == 1, [k for k, _ in itertools.groupby(saw)]
