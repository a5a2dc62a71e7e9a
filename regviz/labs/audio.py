"""Audio augmentation: synthetic sounds, stretched in time, shifted in pitch or with noise.

Waves are float64 (samples,) in [-1, 1] at :data:`RATE` samples per second. NumPy only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RATE = 16_000
"""Samples per second."""

_WINDOW = 1024  # samples in the phase vocoder's window: 64 ms


def tone(seconds: float = 1.0, frequency: float = 440.0) -> Array:
    """A steady tone with three weaker overtones: Σₖ sin(2πkft)/k², faded in and out."""
    t = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * k * frequency * t) / k**2 for k in range(1, 5))
    return _faded(0.6 * np.asarray(wave))


def chirp(seconds: float = 1.0, low: float = 200.0, high: float = 2000.0) -> Array:
    """A tone that rises linearly from ``low`` to ``high`` Hz: sin(2π(f₀t + (f₁ - f₀)t²/2T))."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = low * t + (high - low) * np.square(t) / (2 * seconds)
    return _faded(0.8 * np.sin(2 * np.pi * phase))


def plucked(seconds: float = 1.0, frequency: float = 220.0, *, rng: np.random.Generator) -> Array:
    """A plucked string: noise in a delay loop of N samples that averages neighbours.

    y[n] = ½(y[n-N] + y[n-N-1]), with pitch RATE/(N + ½) in Hz.

    Source: Karplus & Strong 1983.
    """
    period = round(RATE / frequency - 0.5)
    loop = rng.uniform(-1, 1, period)
    rounds = []
    for _ in range(-(-round(seconds * RATE) // period)):
        rounds.append(loop)
        loop = 0.5 * (loop + np.roll(loop, 1))
    wave = np.concatenate(rounds)[: round(seconds * RATE)]
    return _faded(0.9 * wave / np.abs(wave).max())


def time_stretch(wave: Array, rate: float) -> Array:
    """The same sound ``rate`` times as fast, at the same pitch (a phase vocoder).

    Windowed spectra are read at steps of rate·hop and written at steps of hop. Each bin's phase
    advances at the bin's measured frequency, so that overlapping pieces fit.

    Source: Flanagan & Golden 1966; librosa.effects.time_stretch.
    """
    hop = _WINDOW // 4
    window = np.hanning(_WINDOW + 1)[:-1]
    padded = np.pad(wave, (_WINDOW // 2, 2 * _WINDOW))
    starts = np.arange(0, len(wave), rate * hop)
    expected = 2 * np.pi * hop * np.arange(_WINDOW // 2 + 1) / _WINDOW

    def spectrum(start: int) -> NDArray[np.complex128]:
        return np.fft.rfft(window * padded[start : start + _WINDOW])

    out = np.zeros(len(starts) * hop + _WINDOW)
    weight = np.zeros_like(out)
    phase = np.angle(spectrum(0))
    for i, start in enumerate(map(int, starts)):
        now, later = spectrum(start), spectrum(start + hop)
        piece = np.fft.irfft(np.abs(now) * np.exp(1j * phase))
        out[i * hop : i * hop + _WINDOW] += window * piece
        weight[i * hop : i * hop + _WINDOW] += np.square(window)
        turn = np.angle(later) - np.angle(now) - expected
        turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
        phase = phase + expected + turn
    out /= np.maximum(weight, 1e-3)
    length = round(len(wave) / rate)
    return out[_WINDOW // 2 :][:length]


def pitch_shift(wave: Array, semitones: float) -> Array:
    """The same sound higher by ``semitones`` (12 per octave), with the same duration.

    It is stretched by 2^(semitones/12), then resampled to its old length.

    Source: librosa.effects.pitch_shift.
    """
    factor = 2 ** (semitones / 12)
    longer = time_stretch(wave, 1 / factor)
    # resample by cropping or zero-padding the spectrum (as scipy.signal.resample)
    return np.fft.irfft(np.fft.rfft(longer), len(wave)) * (len(wave) / len(longer))


def add_noise(wave: Array, snr: float, *, rng: np.random.Generator) -> Array:
    """Add white noise ``snr`` decibels below the sound: SNR = 10·log₁₀(power/noise power)."""
    power = np.square(wave).mean() / 10 ** (snr / 10)
    return wave + np.sqrt(power) * rng.standard_normal(len(wave))


def spectrogram(wave: Array, window: int = 256) -> tuple[NDArray[Any], Array, Array]:
    """Power over time and frequency, in decibels relative to its peak, clipped at -80.

    Returns frequencies (window/2 + 1,) in Hz, times (frames,) in s, and (frequencies, frames).
    """
    hop = window // 2
    pieces = np.lib.stride_tricks.sliding_window_view(wave, window)[::hop]
    power = np.square(np.abs(np.fft.rfft(pieces * np.hanning(window), axis=1))).T
    decibels = 10 * np.log10(np.maximum(power / max(power.max(), 1e-30), 1e-8))
    times = (np.arange(len(pieces)) * hop + window / 2) / RATE
    return np.fft.rfftfreq(window, 1 / RATE), times, decibels


def peak_frequency(wave: Array) -> float:
    """The strongest frequency of the whole sound, in Hz."""
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * RATE))
    return float(power.argmax() / 8)


def to_int16(wave: Array) -> NDArray[np.int16]:
    """Return a wave as 16-bit samples; if its peak exceeds 1, the whole wave is scaled down."""
    loudest = max(1.0, float(np.abs(wave).max(initial=0.0)))
    return np.round(wave / loudest * 32767).astype(np.int16)


def _faded(wave: Array) -> Array:
    """Fade a sound in and out over 10 ms, so that it does not click."""
    ramp = np.minimum(1, np.arange(len(wave)) / (0.01 * RATE))
    return wave * ramp * ramp[::-1]
