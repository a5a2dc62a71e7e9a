"""Galleries of augmentation: a sound or a sentence, and its transformed versions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regviz.data.datasets import stream
from regviz.frames.lab import LabFrame
from regviz.labs import audio as augment_audio
from regviz.labs import text as augment_text

Array = NDArray[np.float64]
_BLOCKS = 400


def audio(
    sound: str, transform: str, rate: float, semitones: float, snr: float, seed: int
) -> Iterator[LabFrame]:
    """A sound of one second and one transformation of it, as samples, wave and spectrogram.

    ``sound``: tone, chirp, plucked; ``transform``: time_stretch (by ``rate``, above 1 is faster),
    pitch_shift (by ``semitones``), noise (``snr`` dB below the sound), none. Arrays:
    ``original``, ``changed`` (samples,) int16 at ``values["rate"]`` = 16000 Hz; for plots:
    ``time_original`` (s), ``wave_original``, ``time_changed``, ``wave_changed`` (800,), minima
    and maxima alternating; ``spectrogram_original``, ``spectrogram_changed`` (129, frames) float32,
    dB below the peak; ``frequency`` (129,) Hz; ``frame_time_original``, ``frame_time_changed``
    (frames,) s. Values: ``seconds_original``, ``seconds_changed``; ``peak_original``,
    ``peak_changed``, the strongest frequency (Hz); ``snr`` (dB, measured; nan without noise).
    """
    rng = stream(seed, 1)
    if sound == "plucked":
        wave = augment_audio.plucked(rng=rng)
    else:
        wave = augment_audio.tone() if sound == "tone" else augment_audio.chirp()
    if transform == "time_stretch":
        changed = augment_audio.time_stretch(wave, rate)
    elif transform == "pitch_shift":
        changed = augment_audio.pitch_shift(wave, semitones)
    elif transform == "noise":
        changed = augment_audio.add_noise(wave, snr, rng=rng)
    else:
        changed = wave
    noise = changed - wave if transform == "noise" else None
    arrays: dict[str, NDArray[Any]] = {}
    values: dict[str, Any] = {"rate": augment_audio.RATE, "snr": math.nan}
    for name, sound_now in (("original", wave), ("changed", changed)):
        frequency, times, power = augment_audio.spectrogram(sound_now)
        arrays[name] = augment_audio.to_int16(sound_now)
        arrays["time_" + name], arrays["wave_" + name] = _outline(sound_now)
        arrays["spectrogram_" + name] = power.astype(np.float32)
        arrays["frame_time_" + name] = times
        arrays["frequency"] = frequency
        values["seconds_" + name] = len(sound_now) / augment_audio.RATE
        values["peak_" + name] = augment_audio.peak_frequency(sound_now)
    if noise is not None:
        values["snr"] = float(10 * np.log10(np.square(wave).mean() / np.square(noise).mean()))
    yield LabFrame(1, 1, arrays, values)


def _outline(wave: Array) -> tuple[Array, Array]:
    """Return times (s) and, alternating, minimum and maximum of each of 400 blocks."""
    edges = np.linspace(0, len(wave), _BLOCKS + 1).astype(np.int64)
    low = np.minimum.reduceat(wave, edges[:-1])
    high = np.maximum.reduceat(wave, edges[:-1])
    times = np.repeat((edges[:-1] + edges[1:]) / 2 / augment_audio.RATE, 2)
    return times, np.stack([low, high], axis=1).ravel()


def text(
    sentence: int, transform: str, strength: float, count: int, seed: int
) -> Iterator[LabFrame]:
    """A stored sentence and ``count`` changed versions of it.

    ``sentence``: index in ``SENTENCES``; ``transform``: synonym_replacement, random_insertion,
    random_deletion, random_swap, with ``strength`` the share of words to change; or
    back_translation, one stored example that ignores the other parameters. Values: ``original``;
    ``changed`` (list of texts); ``changes`` (list of edit distances in words); ``stored`` (1 or 0);
    ``steps`` (back-translation: list of [language, text], else empty).
    """
    if transform == "back_translation":
        steps = [list(step) for step in augment_text.BACK_TRANSLATION.steps]
        before, changed = steps[0][1], [steps[-1][1]]
    else:
        steps, before = [], augment_text.SENTENCES[sentence]
        changed = [
            " ".join(
                augment_text.augment(
                    before.split(), transform, strength, rng=stream(seed, sentence, i)
                )
            )
            for i in range(count)
        ]
    values: dict[str, Any] = {
        "original": before,
        "changed": changed,
        "changes": [augment_text.changed_words(before.split(), t.split()) for t in changed],
        "stored": int(bool(steps)),
        "steps": steps,
    }
    yield LabFrame(1, 1, {}, values)
