"""A client of a running app without a browser: the websocket protocol of Streamlit 1.67.

A :class:`Visitor` behaves like Streamlit's page in a browser (by its source and a real browser's
messages). It requests the script on ``/_stcore/stream`` (subprotocol ``streamlit``), keeps the
values of all widgets on the page and sends them with each rerun, keeps the page's address as the
server sets it, answers an auto-rerun with a rerun of its fragment at each interval until a full run
or the server ends it, and keeps cacheable messages by hash, so that the server sends references to
them. It draws nothing and fetches no files.

Only :func:`read_feed` knows this app's messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin, Subprotocol

STREAM = "_stcore/stream"
ERROR_BOX = 1
"""``Alert.Format.ERROR``, the kind of box in which the app shows an error."""

# --- this app's own messages ------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """The header of a feed message: the run that it shows; ``epoch`` is None without a frame."""

    run: str
    state: str
    epoch: int | None
    done: bool


def read_feed(data: bytes) -> Head | None:
    """Read the header of a message of :mod:`regviz.frames.messages`; None for other bytes."""
    if data[:4] != b"RVL1":
        return None
    (length,) = struct.unpack_from("<I", data, 4)
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    if "run" not in header:
        return None
    return Head(
        header["run"], header["state"], header.get("epoch"), bool(header.get("done", False))
    )


# --- a visitor --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slider:
    """A slider of the page: its widget, and its possible values as the widget sends them."""

    widget: str
    values: tuple[float | str, ...]


@dataclass
class Move:
    """A requested change and the times when it was shown, in seconds after the request."""

    sent: float
    taken: bool
    """Whether the page's address holds the change: later frames of a run not shown before are its
    frames."""
    done: asyncio.Future[None]
    run: str = ""
    first: float | None = None
    first_epoch: int | None = None
    final: float | None = None
    frames: int = 0
    failure: str = ""


@dataclass
class Visitor:
    """One open page: :meth:`open`, then :meth:`move` any number of times, then :meth:`close`."""

    url: str
    sliders: dict[str, Slider] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    received_bytes: int = 0
    received: int = 0
    address: str = ""
    """The page's query string."""

    def __post_init__(self) -> None:
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._timers: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._widgets: dict[str, WidgetState] = {}
        self._shown: set[str] = set()
        self._cache: dict[str, Head | None] = {}
        self._page = ""
        self._running = False
        self._settled = asyncio.Event()
        self._runs: set[str] = set()
        self._move: Move | None = None
        self.lost = ""

    # --- what a visitor does ---

    async def open(self, timeout: float) -> Move:
        """Open the page; return when its first run has its final frame."""
        host = self.url.split("://", 1)[1].rstrip("/")
        begun = time.perf_counter()
        try:
            self._socket = await connect(
                f"ws://{host}/{STREAM}",
                origin=Origin(self.url.rstrip("/")),
                # a browser without a cookie sends this placeholder
                subprotocols=[Subprotocol("streamlit"), Subprotocol("PLACEHOLDER_AUTH_TOKEN")],
                ping_interval=None,
                max_size=None,
                open_timeout=timeout,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            self.lost = f"no connection: {type(error).__name__}"
            move = self._begin(begun, taken=True)
            move.failure = self.lost
            return move
        self._reader = asyncio.create_task(self._read())
        move = self._begin(begun, taken=True)
        await self._rerun()
        return await self._end(move, timeout)

    async def move(self, label: str, value: float | str, timeout: float) -> Move:
        """Move a slider; return when the new run has its final frame, or has failed."""
        state = self._widgets[self.sliders[label].widget]
        if isinstance(value, str):
            state.string_array_value.data[:] = [value]
        else:
            state.double_array_value.data[:] = [value]
        self._settled.clear()
        move = self._begin(time.perf_counter(), taken=False)
        await self._rerun()
        return await self._end(move, timeout)

    def has(self, label: str) -> bool:
        """Whether a slider is on the page now."""
        return label in self.sliders and self.sliders[label].widget in self._widgets

    def value(self, label: str) -> float | str:
        """Return the value of a slider."""
        state = self._widgets[self.sliders[label].widget]
        which = state.WhichOneof("value")
        value: float | str = getattr(state, str(which)).data[0]
        return value

    async def settled(self, timeout: float) -> bool:
        """Wait until no script runs and none is due; return False on a timeout."""
        try:
            await asyncio.wait_for(self._settled.wait(), timeout)
        except TimeoutError:
            return False
        return not self.lost

    async def close(self) -> None:
        """Leave the page."""
        self._stop_timers()
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    # --- what goes out ---

    def _begin(self, sent: float, *, taken: bool) -> Move:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._move = Move(sent, taken, future)
        if self.lost:
            self._fail(self.lost)
        return self._move

    async def _end(self, move: Move, timeout: float) -> Move:
        done, _ = await asyncio.wait({move.done}, timeout=timeout)
        if not done:
            move.failure = "no final picture" if move.first is not None else "no new frame"
        self._runs.add(move.run)
        self._move = None
        self._consider_settled()
        return move

    def _fail(self, why: str) -> None:
        move = self._move
        if move is not None and not move.done.done():
            move.failure = why
            move.done.set_result(None)

    async def _rerun(self, fragment: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self.address
        state.widget_states.widgets.extend(self._widgets.values())
        state.page_script_hash = self._page
        state.cached_message_hashes.extend(self._cache)
        state.context_info.timezone = "UTC"
        state.context_info.timezone_offset = 0
        state.context_info.locale = "en-US"
        state.context_info.url = self.url
        state.context_info.is_embedded = False
        state.context_info.color_scheme = "light"
        if fragment:
            state.fragment_id = fragment
            state.is_auto_rerun = True
        assert self._socket is not None
        with contextlib.suppress(WebSocketException):  # the reading task handles a lost connection
            await self._socket.send(message.SerializeToString())

    async def _repeat(self, fragment: str, interval: float) -> None:
        due = time.perf_counter()
        while True:
            # like the browser's setInterval: a fixed rhythm, and missed ticks are not made up
            now = time.perf_counter()
            due += interval * max(1, -((due - now) // interval))
            await asyncio.sleep(due - now)
            await self._rerun(fragment)

    def _stop_timers(self) -> None:
        for _, task in self._timers.values():
            task.cancel()
        self._timers.clear()

    # --- what comes in ---

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for data in self._socket:
                assert isinstance(data, bytes)
                self.received_bytes += len(data)
                self.received += 1
                self._take(ForwardMsg.FromString(data))
        except WebSocketException:
            pass
        finally:
            # stops the timers and refuses further moves
            self.lost = self.lost or "connection lost"
            self._stop_timers()
            self._fail(self.lost)
            self._settled.set()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "delta":
            if message.delta.WhichOneof("type") == "new_element":
                head = self._element(message.delta.new_element)
                if message.metadata.cacheable:
                    self._cache[message.hash] = head
        elif kind == "ref_hash":
            if message.ref_hash not in self._cache:
                self._error("a message was referred to that was never sent")
            else:
                self._look(self._cache[message.ref_hash])
        elif kind == "new_session":
            if not message.metadata.run.fragment_ids:
                self._stop_timers()
                self._shown.clear()
            self._page = self._page or message.new_session.page_script_hash
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.address = message.page_info_changed.query_string
            if self._move is not None:
                self._move.taken = True
        elif kind == "auto_rerun":
            self._auto_rerun(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                if fragment in self._timers:
                    self._timers.pop(fragment)[1].cancel()
        elif kind == "script_finished":
            self._finished(message.script_finished)
        elif kind == "session_status_changed":
            self._running = message.session_status_changed.script_is_running
            self._consider_settled()
        elif kind == "session_event":
            event = message.session_event
            if event.WhichOneof("type") == "script_compilation_exception":
                self._error(event.script_compilation_exception.message)

    def _finished(self, how: int) -> None:
        if how == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self._error("the script could not be compiled")
        elif how == ForwardMsg.FINISHED_SUCCESSFULLY:
            # widgets that a full run has not shown again are no longer on the page
            for widget in self._widgets.keys() - self._shown:
                del self._widgets[widget]
            self._consider_settled()

    def _consider_settled(self) -> None:
        if self._running or self._timers:
            self._settled.clear()
        elif self._move is None:
            self._settled.set()

    def _auto_rerun(self, fragment: str, interval: float) -> None:
        old = self._timers.get(fragment)
        if old is not None and old[0] == interval:
            return
        if old is not None:
            old[1].cancel()
        self._timers[fragment] = (
            interval,
            asyncio.create_task(self._repeat(fragment, interval)),
        )
        self._settled.clear()

    def _element(self, element: Any) -> Head | None:
        kind = element.WhichOneof("type")
        if kind == "bidi_component":
            head = read_feed(element.bidi_component.bytes)
            self._look(head)
            return head
        if kind == "exception":
            self._error(f"{element.exception.type}: {element.exception.message}")
        elif kind == "alert" and element.alert.format == ERROR_BOX:
            self._error(element.alert.body)
        elif kind in WIDGETS:
            self._widget(kind, getattr(element, kind))
        return None

    def _widget(self, kind: str, widget: Any) -> None:
        self._shown.add(widget.id)
        if kind == "slider":
            self.sliders[widget.label] = Slider(widget.id, _stops(widget))
        if widget.id not in self._widgets or widget.set_value:
            self._widgets[widget.id] = _state(kind, widget)

    def _error(self, text: str) -> None:
        self.errors.append(text)
        self._fail(f"error: {text}")

    def _look(self, head: Head | None) -> None:
        """Record a message of a run, which may be the first or the last one of the new run."""
        if head is None or not head.run or head.run in self._runs:
            return
        move = self._move
        if move is None or not move.taken:
            if head.epoch is not None:
                self._runs.add(head.run)  # later messages of this run belong to no move
            return
        if move.done.done():
            return
        if head.state == "failed":
            self._fail("the run failed")
        elif head.epoch is not None:
            after = time.perf_counter() - move.sent
            move.run = head.run
            if move.first is None:
                move.first, move.first_epoch = after, head.epoch
            move.frames += 1
            if head.done:
                move.final = after
                move.done.set_result(None)


WIDGETS = ("slider", "checkbox", "selectbox", "number_input", "radio", "text_input", "text_area")


def _stops(slider: Any) -> tuple[float | str, ...]:
    if slider.type == slider.SELECT_SLIDER:
        return tuple(slider.options)
    count = round((slider.max - slider.min) / slider.step)
    return tuple(round(slider.min + i * slider.step, 10) for i in range(count + 1))


def _state(kind: str, widget: Any) -> WidgetState:
    """Return the state that a browser sends for a widget that was just drawn."""
    state = WidgetState(id=widget.id)
    if kind == "slider":
        if widget.type == widget.SELECT_SLIDER:
            sent = widget.raw_value if widget.set_value else ()
            given = list(sent) or [widget.options[int(i)] for i in widget.default]
            state.string_array_value.data.extend(given)
        else:
            state.double_array_value.data.extend(
                widget.value if widget.set_value else widget.default
            )
    elif kind == "checkbox":
        state.bool_value = widget.value if widget.set_value else widget.default
    elif kind == "number_input":
        if widget.set_value or widget.HasField("default"):
            value = widget.value if widget.set_value else widget.default
            if widget.data_type == widget.INT:
                state.int_value = int(value)
            else:
                state.double_value = value
    elif kind in ("selectbox", "radio"):
        if widget.set_value:
            if widget.HasField("raw_value"):
                state.string_value = widget.raw_value
        elif widget.HasField("default"):
            state.string_value = widget.options[widget.default]
    else:
        state.string_value = widget.value if widget.set_value else widget.default
    return state
