"""Waits shared by the tests in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# seconds for what takes one to ten on an idle machine; trainers have the lowest priority, so beside
# other tests a run of a second took 40
PATIENCE = 120


def settled(page: Page) -> None:
    """Wait until the server sends no more messages and the browser has loaded every script: an
    element that is redrawn or moves between press and release does not get the click."""
    app = page.locator(".stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def has_ended(payload: bytes | str) -> bool:
    """Whether a message of the server ends a run of the whole page."""
    message = ForwardMsg.FromString(payload) if isinstance(payload, bytes) else ForwardMsg()
    ended = message.HasField("script_finished")
    return ended and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
