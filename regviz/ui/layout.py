"""The one place for the pages' own style: a compact look that fits a projector in one screen."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from html import escape
from importlib import resources

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from regviz.figures.palette import DARK, LIGHT

_JOINER = "\u2060"  # of no width


def style() -> None:
    """Apply the style sheet of all pages; called once in each run, by the entry point."""
    st.html(f"<style>{_colours()}{_sheet()}</style>")


def here(place: int) -> None:
    """Mark the section of the header, counted from 0, that the shown page is in."""
    item = f".stAppHeader nav > .rc-overflow-item:nth-child({place + 1}) > button"
    mixed = "color-mix(in srgb, currentColor 10%, transparent)"
    st.html(f"<style>{item} {{ background: {mixed}; font-weight: 600; }}</style>")


def within_app() -> None:
    """Have a page run inside ``app.py``; called first by every page but the default one.

    Streamlit runs a file in ``pages/`` by itself, without navigation and style, where a server's
    first visitor comes in by that page's address: it learns that there is an ``st.navigation``
    only from the first one it meets.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


@functools.cache
def _sheet() -> str:
    return resources.files("regviz.ui").joinpath("page.css").read_text(encoding="utf-8")


@functools.cache
def _colours() -> str:
    """Return the palette's tones as CSS variables; Streamlit's theme sets the colour scheme."""
    tones = ("good", "warn", "bad", "background", "text")
    pairs = (
        f"--page-{tone}: light-dark({getattr(LIGHT, tone)}, {getattr(DARK, tone)});"
        for tone in tones
    )
    code = f"--page-code: light-dark({LIGHT.lane(3)}, {DARK.lane(3)});"
    return f".stApp {{ {' '.join(pairs)} {code} }}\n"


def plain(text: str) -> str:
    """Return Markdown that shows ``text`` as it is: what a link or a file says is no markup, and
    above all no picture to be fetched from somewhere, and no address to be clicked."""
    # addresses become links by themselves, however they are escaped: something invisible parts them
    text = re.sub(
        r"(?<=http:)(?=//)|(?<=https:)(?=//)|(?<=www)(?=\.)|(?<=@)", _JOINER, text, flags=re.I
    )
    return re.sub(r"([\\`*~$\[\]])", r"\\\1", text)


def status(epochs: str, word: str, queue: str = "") -> str:
    """Return the HTML of a run's status: ``epoch N/M`` and one word, coloured by it, and below
    them what it waits for."""
    waiting = f'<small class="rv-queue">{escape(queue)}</small>' if queue else ""
    return (
        f'<div class="rv-status rv-{escape(word)}" role="status"><span class="rv-dot"></span>'
        f"<span>{escape(epochs)}</span> <b>{escape(word)}</b>{waiting}</div>"
    )


def statement(name: str, kind: str, reason: str) -> str:
    """Return the HTML of one lane's verdict: whose, what, and why."""
    tone = kind.replace(" ", "-")
    return (
        f'<p class="rv-verdict rv-{escape(tone)}"><b>{escape(name)}</b>'
        f'<span class="rv-kind">{escape(kind)}</span> {escape(reason)}</p>'
    )


def point(text: str) -> str:
    """Return the HTML of what there is to see, in one sentence."""
    return f'<p class="rv-point">{escape(text)}</p>'


def note(text: str) -> str:
    """Return the HTML of a remark about the run."""
    return f'<p class="rv-note">{escape(text)}</p>'


def notes(texts: Sequence[str]) -> str:
    """Return the HTML of several remarks, as a list."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="rv-note">{items}</ul>' if items else ""
