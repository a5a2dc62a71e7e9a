"""A page with the live charts and made-up frames, steered by a file: the browser tests run it.

The file named by ``REGVIZ_TEST_CONTROL`` holds ``{"run": text, "kind": "moons" | "digits",
"at": frame, "frames": count, "slow": seconds, "charts": true | false, "layers": count,
"log": true | false, "diverged": [losses]}``; the lanes with a loss there end with it and diverged.
With ``"sweep": text`` the page shows the runs of a made-up sweep instead, another one for another
text, and a heat map of ``"at"`` that says where it was clicked; ``"own"``: each has its own data.
With ``"held": true`` it shows a fragment that runs again before the browser has heard of the page's
run, and what stands below it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

from regviz.frames import DataView, Frame, LaneFrame
from regviz.frames.messages import pack_sweep, unpack
from regviz.specs import Experiment
from regviz.ui import fragments, live

EPOCHS = 200
LABELS = ("without", "with")
LIMITS = (0.5, 1.0, 0.0625, 0.125, 0.25, 2.0, 16.0, 0.0078125, 1024.0)


def made_up_frame(
    run: str,
    epoch: int,
    kind: str = "moons",
    layers: int = 2,
    diverged: Sequence[float] = (),
) -> Frame:
    """Return a synthetic frame: curves that fall and rise, a wave that moves over the plane."""
    rng = np.random.default_rng(sum(run.encode()))
    n, classes, features = 300, (10 if kind == "digits" else 2), (64 if kind == "digits" else 2)
    x = rng.normal(size=(n, 2)).astype(np.float32)
    data = DataView(
        x=x,
        y=((x[:, 0] > 0) if classes == 2 else rng.integers(0, 10, n)).astype(np.uint8),
        is_val=np.arange(n) % 4 == 0,
        extent=(-3.0, 3.0, -2.0, 2.0),
        n_train=225,
        n_val=75,
        n_features=features,
        n_classes=classes,
    )
    lanes = []
    for lane in range(2):
        t = np.arange(1, epoch + 1, dtype=np.float32)
        loss = (0.7 / np.sqrt(t) + 0.05).astype(np.float32)
        rise = np.float32(0.004 if lane == 0 else 0.0002)
        history = np.stack([loss, loss * 1.2, loss + rise * t, 1 - loss, 0.9 - rise * t / 3, t * 0])
        gone = lane < len(diverged)
        if gone:
            history[:3, -1] = diverged[lane]
        x0, x1 = np.meshgrid(np.linspace(-3, 3, 64), np.linspace(-2, 2, 64))
        wave = 1 / (1 + np.exp(-4 * (x0 + np.sin(x1 * (1 + lane) + epoch / 20))))
        limits = np.array(LIMITS[:layers], np.float32) * (lane + 1)
        weights = [np.clip(rng.normal(0, k / 4, 500), -k, k) for k in limits]
        counts = [
            np.histogram(w, 128, (-float(k), float(k)))[0]
            for w, k in zip(weights, limits, strict=True)
        ]
        ends = epoch >= EPOCHS
        lanes.append(
            LaneFrame(
                status="diverged" if gone else "finished" if ends else "running",
                epoch=epoch,
                best_epoch=min(epoch - gone, 20 + 30 * lane),
                stopped_epoch=0,
                wait=0,
                restored=False,
                history=history.astype(np.float32),
                layers=(*(f"hidden {i}" for i in range(1, layers)), "output"),
                shapes=((features, 10), *((10, 50),) * (layers - 1)),
                histogram=np.array(counts, np.uint32),
                limits=limits,
                zeros=np.array([0, *[7 * lane * epoch] * (layers - 1)], np.int64),
                norms=np.ones(layers),
                l1_norms=np.ones(layers),
                input_mean=np.zeros(layers, np.float32),
                input_std=np.ones(layers, np.float32),
                boundary=(255 * wave).round().astype(np.uint8) if classes == 2 else None,
            )
        )
    return Frame(epoch=epoch, epochs=EPOCHS, lanes=tuple(lanes), data=(data, data))


class MadeUpJob:
    """A job whose newest frame is the one in the control file."""

    experiments: tuple[Experiment, ...] = (Experiment(),)

    def __init__(self, control: dict[str, Any]) -> None:
        self.run = str(control.get("run", "a"))
        self.kind = str(control.get("kind", "moons"))
        self.count = int(control.get("frames", 20))
        self.at = min(int(control.get("at", 0)), self.count)
        self.layers = int(control.get("layers", 2))
        self.diverged: list[float] = control.get("diverged", [])

    @property
    def state(self) -> str:
        return "finished" if self.at == self.count else "running"

    def _frame(self, at: int) -> Frame:
        epoch = round(EPOCHS * at / self.count)
        return made_up_frame(self.run, epoch, self.kind, self.layers, self.diverged)

    def latest(self) -> Frame | None:
        return None if self.at < 0 else self._frame(self.at)

    def frames(self) -> list[Frame]:
        return [self._frame(at) for at in range(self.at + 1)]


def sweep_message(name: str, count: int = 21, *, own: bool = False, channel: str = "test") -> bytes:
    """Return a message of a sweep over ``count`` values, with curves of different lengths."""
    frames = []
    for i in range(count):
        frame = made_up_frame(f"{name}{chr(65 + i)}" if own else name, 100 + 5 * i, layers=4)
        lanes = tuple(
            dataclasses.replace(
                lane,
                status="stopped" if i % 3 == 1 and k == 1 else "finished",
                stopped_epoch=lane.epoch if i % 3 == 1 and k == 1 else 0,
                restored=i % 3 == 1 and k == 1,
            )
            for k, lane in enumerate(frame.lanes)
        )
        frames.append(dataclasses.replace(frame, lanes=lanes))
    values = ["0", *(f"{10 ** (-6 + 0.2 * i):.1e}" for i in range(1, count))]
    return pack_sweep(channel, name, frames, values=values, name="L2 λ", table=_table)


def _heat_map(level: int) -> tuple[go.Figure, go.Figure]:
    z = [[level + row + column for column in range(8)] for row in range(8)]
    cells = [[[row, column] for column in range(8)] for row in range(8)]
    both = [
        go.Figure(go.Heatmap(z=z, customdata=cells), {"title": f"level {level}", "height": 300})
        for _ in ("light", "dark")
    ]
    return both[0], both[1]


def _sweep_page(name: str, *, own: bool) -> None:
    message = sweep_message(name, own=own)
    live.loss_curves("test", labels=LABELS, epochs=EPOCHS, height=300)
    values = unpack(message)[0]["sweep"]["values"]
    live.scrubber("test", labels=LABELS, epochs=EPOCHS, values=values, name="L2 λ")
    live.readout("test")
    live.decision_boundary("test", labels=LABELS)
    live.weight_histogram("test", labels=LABELS, layers=4)
    live.sweep_feed("test", message)
    clicks = st.session_state.setdefault("clicks", [])
    live.figure(
        "test",
        key="plane",
        name="plane",
        height=300,
        skeleton=_heat_map(0),
        on_click=clicks.append,
    )
    st.text(f"clicked {clicks}")

    @st.fragment(run_every=0.1)
    def tick() -> None:
        live.feed_figures("test", {"plane": _heat_map(int(_control().get("at", 0)))})

    tick()


def _held_page() -> None:
    """Have nothing sent from here to the end of the fragment's own run, as on a busy server."""
    ctx = get_script_run_ctx()
    assert ctx is not None
    end = threading.Event()
    number = st.session_state["number"] = st.session_state.get("number", 0) + 1
    if st.button("Again, held"):
        loop = runtime.get_instance()._get_async_objs().eventloop
        loop.call_soon_threadsafe(end.wait, 20)

    @fragments.fragment(run_every=None)
    def tick() -> None:
        now = get_script_run_ctx()
        assert now is not None
        st.text(f"{'fragment' if now.fragment_ids_this_run else 'page'}'s own in run {number}")
        if now.fragment_ids_this_run:
            st.session_state.pop("end").set()

    st.session_state["end"] = end
    tick()
    for name in ("first", "second"):
        with st.container(key=f"below-{name}"):
            st.text(f"{name} below in run {number}")
    (fragment,) = ctx.shared.new_fragment_ids.snapshot()
    asked = RerunData(fragment_id=fragment, page_script_hash=ctx.page_script_hash)
    assert ctx.script_requests is not None
    ctx.script_requests.request_rerun(asked)


def _control() -> dict[str, Any]:
    return json.loads(Path(os.environ["REGVIZ_TEST_CONTROL"]).read_text())


def _table(frame: Frame) -> live.Table:
    return live.Table(("", *LABELS), (("epoch", f"{frame.epoch}", (f"{frame.epoch}", "good")),))


def _page() -> None:
    st.set_page_config(layout="wide")
    accuracy = st.checkbox("Accuracy")
    st.button("Again")
    control = _control()
    if control.get("held"):
        _held_page()
        return
    if "sweep" in control:
        _sweep_page(control["sweep"], own=bool(control.get("own")))
        return
    if control.get("charts", True):
        live.loss_curves(
            "test",
            labels=LABELS,
            epochs=EPOCHS,
            show_accuracy=accuracy,
            log_scale=bool(control.get("log")),
            height=300,
        )
        live.scrubber("test", labels=LABELS, epochs=EPOCHS)
        live.readout("test")
        live.decision_boundary("test", labels=LABELS)
        live.weight_histogram("test", labels=LABELS, layers=int(control.get("layers", 2)))

    @st.fragment(run_every=0.1)
    def tick() -> None:
        control = _control()
        if control.get("charts", True):
            job = MadeUpJob(control)
            live.feed("test", job, table=_table, run=job.run)

    tick()
    time.sleep(float(_control().get("slow", 0)))  # a page that takes long to run


if __name__ == "__main__":  # as Streamlit runs it; tests import the frames
    _page()
