"""Augmentation of a sound and of a sentence."""

from __future__ import annotations

import difflib
import inspect
import io
import wave
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from regviz.figures import labs as lab_figures
from regviz.frames.lab import LabFrame
from regviz.labs import audio as augment_audio
from regviz.labs import text as augment_text
from regviz.ui import charts, lab, layout

PAGE = "augmentation"
MARK = '<mark style="background:rgba(20,160,140,0.3);color:inherit;border-radius:3px">'
SOUNDS = {"plucked string": "plucked", "tone": "tone", "chirp": "chirp"}
AUDIO = {
    "time stretch": "time_stretch",
    "pitch shift": "pitch_shift",
    "noise": "noise",
    "none": "none",
}
TEXT = {
    "synonym replacement": "synonym_replacement",
    "random insertion": "random_insertion",
    "random deletion": "random_deletion",
    "random swap": "random_swap",
    "back-translation (stored)": "back_translation",
}
CODE: dict[str, Callable[..., Any]] = {
    "time_stretch": augment_audio.time_stretch,
    "pitch_shift": augment_audio.pitch_shift,
    "noise": augment_audio.add_noise,
    "synonym_replacement": augment_text.synonym_replacement,
    "random_insertion": augment_text.random_insertion,
    "random_deletion": augment_text.random_deletion,
    "random_swap": augment_text.random_swap,
}


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Return int16 samples as a WAV file, without normalizing the volume."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def marked(before: str, after: str) -> str:
    """Return ``after`` as HTML: new words marked, removed words struck through."""
    old, new = before.split(), after.split()
    parts: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if kind == "equal":
            parts += [escape(word) for word in new[c:d]]
            continue
        parts += [f'<del style="opacity:0.6">{escape(word)}</del>' for word in old[a:b]]
        parts += [f"{MARK}{escape(word)}</mark>" for word in new[c:d]]
    return " ".join(parts)


def heard(f: LabFrame) -> str:
    """Return a sentence with the measured effect of the transformation on the sound."""
    text = (
        f"Length: {f.number('seconds_original'):.2f} s before, "
        f"{f.number('seconds_changed'):.2f} s after. Strongest frequency: "
        f"{f.number('peak_original'):.0f} Hz before, {f.number('peak_changed'):.0f} Hz after."
    )
    snr = f.number("snr")
    return text if snr != snr else f"{text} Signal-to-noise ratio: {snr:.1f} dB."


def draw_sound(f: LabFrame) -> None:
    """Draw a sound and its transformed version, with players."""
    sentence = heard(f)
    st.html(layout.point(sentence))
    for column, kind in zip(st.columns(2), ("original", "changed"), strict=True):
        with column:
            st.caption(f"Play the {kind} sound")
            st.audio(wav(f.arrays[kind], round(f.number("rate"))), format="audio/wav")
    charts.chart(
        lambda colors: lab_figures.sound(f, colors),
        key="wave",
        alt=sentence,
        about=charts.of_lab("audio", asked),
    )


def draw_text(f: LabFrame) -> None:
    """Show a sentence and its changed versions, changed words marked."""
    before, changed, changes = (f.values[name] for name in ("original", "changed", "changes"))
    assert isinstance(before, str)
    assert isinstance(changed, list)
    assert isinstance(changes, list)
    st.html(f"<p><b>Original</b><br>{escape(before)}</p>")
    steps = f.values["steps"]
    if isinstance(steps, list) and steps:
        st.html(
            layout.note(
                "This is a stored example, written by hand, because the app contains no "
                "translation model. Sentence, share of words and seed have no effect here."
            )
        )
        for language, text in steps[1:-1]:
            st.html(f"<p><b>{escape(language)}</b><br>{escape(text)}</p>")
    for text, count in zip(changed, changes, strict=True):
        plural = "word" if count == 1 else "words"
        st.html(f"<p><b>Changed ({count} {plural})</b><br>{marked(before, text)}</p>")


lab.begin(PAGE, "Can you get more data from the data you have?")
with st.sidebar:
    st.caption(
        "A changed copy with the same label serves as one more training example. It is correlated "
        "with the original, so it is worth less than a new example."
    )
    kind = st.radio(
        "Data", ("Sound", "Text"), key=f"{PAGE}.kind", horizontal=True, persist_state="session"
    )
    options = AUDIO if kind == "Sound" else TEXT
    transform = options[
        st.selectbox("Transformation", list(options), key=f"{PAGE}.{kind}.transform")
    ]
    if kind == "Sound":
        sound = SOUNDS[st.selectbox("Sound", list(SOUNDS), key=f"{PAGE}.sound")]
        rate = st.slider(
            "Speed", 0.5, 2.0, 1.5, 0.1, key=f"{PAGE}.rate", disabled=transform != "time_stretch"
        )
        semitones = st.slider(
            "Semitones", -12, 12, 4, key=f"{PAGE}.semitones", disabled=transform != "pitch_shift"
        )
        snr = st.slider(
            "Signal-to-noise ratio (dB)", -10, 40, 10, key=f"{PAGE}.snr",
            disabled=transform != "noise",
        )  # fmt: skip
    else:
        stored = transform == "back_translation"
        sentence = st.selectbox(
            "Sentence", range(len(augment_text.SENTENCES)), key=f"{PAGE}.sentence",
            format_func=lambda i: augment_text.SENTENCES[i], disabled=stored,
        )  # fmt: skip
        strength = st.slider(
            "Share of words", 0.0, 0.9, 0.2, 0.05, key=f"{PAGE}.strength", disabled=stored
        )
    seed = lab.seed(PAGE)
if kind == "Sound":
    asked = {
        "sound": sound,
        "transform": transform,
        "rate": round(rate, 1),
        "semitones": semitones,
        "snr": snr,
        "seed": seed,
    }
    lab.follow(PAGE, "audio", asked, draw_sound)
else:
    lab.follow(
        PAGE,
        "text",
        {
            "sentence": sentence,
            "transform": transform,
            "strength": round(strength, 2),
            "seed": seed,
        },
        draw_text,
    )
if transform in CODE:
    with st.expander("The code that ran"):
        st.code(inspect.getsource(CODE[transform]), language="python")
st.caption(
    "Sources: Karplus & Strong 1983 (plucked string); Flanagan & Golden 1966 (phase vocoder)."
    if kind == "Sound"
    else "Sources: Wei & Zou 2019, arXiv 1901.11196 (word changes); Sennrich et al. 2016, arXiv "
    "1511.06709 (back-translation). A change can alter the meaning of a sentence: read it before "
    "you train on it."
)
