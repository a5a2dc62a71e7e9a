"""Audio augmentation: what each transformation changes and what it preserves."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from regviz.labs.audio import (
    RATE,
    add_noise,
    chirp,
    peak_frequency,
    pitch_shift,
    plucked,
    spectrogram,
    time_stretch,
    to_int16,
    tone,
)
from tests.test_labs import run_lab


def test_sounds_are_a_second_long_and_not_too_loud() -> None:
    for wave in (tone(), chirp(), plucked(rng=np.random.default_rng(0))):
        assert wave.shape == (RATE,)
        assert 0.3 < np.abs(wave).max() <= 1
        assert wave[0] == 0
    assert peak_frequency(tone()) == pytest.approx(440, abs=0.5)
    assert peak_frequency(plucked(rng=np.random.default_rng(0))) == pytest.approx(220, abs=2)


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.0, 1.5, 2.0])
def test_time_stretch_changes_the_length_and_not_the_pitch(rate: float) -> None:
    out = time_stretch(tone(), rate)
    assert len(out) == round(RATE / rate)
    assert peak_frequency(out) == pytest.approx(440, abs=1)
    middle = slice(len(out) // 4, 3 * len(out) // 4)
    # the pieces do not fit perfectly, which costs a little power
    assert np.square(out[middle]).mean() == pytest.approx(np.square(tone()[4000:12000]).mean(), 0.2)


def test_time_stretch_by_one_changes_nothing() -> None:
    wave = plucked(rng=np.random.default_rng(1))
    assert np.abs(time_stretch(wave, 1.0) - wave).max() < 1e-6


def test_a_stretched_chirp_runs_through_the_same_frequencies_slower() -> None:
    for wave, seconds in ((chirp(), 1.0), (time_stretch(chirp(), 0.5), 2.0)):
        frequency, times, power = spectrogram(wave)
        path = frequency[power.argmax(axis=0)]
        middle = np.abs(times - seconds / 2).argmin()
        assert path[middle] == pytest.approx(1100, abs=RATE / 256)


@pytest.mark.parametrize("semitones", [-12, -5, 0, 4, 12])
def test_pitch_shift_changes_the_pitch_and_not_the_length(semitones: float) -> None:
    out = pitch_shift(tone(), semitones)
    assert out.shape == (RATE,)
    assert peak_frequency(out) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.005)


def test_resampling_is_scipy_s() -> None:
    resample = importlib.import_module("scipy.signal").resample  # scipy brings no types
    wave = tone()
    longer = time_stretch(wave, 0.5)
    # the highest frequency of all is where the two round otherwise
    assert np.allclose(pitch_shift(wave, 12), resample(longer, RATE), atol=1e-5)


@pytest.mark.parametrize("snr", [-10.0, 0.0, 20.0])
def test_noise_has_the_power_it_was_asked_for(snr: float) -> None:
    wave = tone()
    noise = add_noise(wave, snr, rng=np.random.default_rng(0)) - wave
    measured = 10 * np.log10(np.square(wave).mean() / np.square(noise).mean())
    assert measured == pytest.approx(snr, abs=0.2)


def test_the_spectrogram_has_the_tone_at_its_place() -> None:
    frequency, times, power = spectrogram(tone(frequency=1000.0))
    assert power.shape == (129, len(times))
    assert frequency[-1] == RATE / 2
    assert times[0] == 128 / RATE
    assert (frequency[power.argmax(axis=0)] == 1000).all()
    assert power.max() == 0
    assert power.min() >= -80
    assert np.isfinite(spectrogram(np.zeros(2000))[2]).all()


def test_samples_of_16_bits() -> None:
    assert to_int16(np.array([0.0, 1.0, -1.0, 0.5])).tolist() == [0, 32767, -32767, 16384]
    assert to_int16(np.array([4.0, -2.0])).tolist() == [32767, -16384]  # softer, not cut off


@pytest.mark.parametrize("sound", ["tone", "chirp", "plucked"])
def test_the_gallery_shows_what_was_done(sound: str) -> None:
    stretched = run_lab("audio", sound=sound, transform="time_stretch", rate=2.0)
    assert stretched.number("seconds_changed") == 0.5
    assert len(stretched.arrays["changed"]) == RATE // 2
    shifted = run_lab("audio", sound=sound, transform="pitch_shift", semitones=12.0)
    assert shifted.number("seconds_changed") == 1.0
    if sound != "chirp":  # it has no one pitch
        ratio = shifted.number("peak_changed") / shifted.number("peak_original")
        assert ratio == pytest.approx(2, rel=0.01)
    noisy = run_lab("audio", sound=sound, transform="noise", snr=5.0)
    assert noisy.number("snr") == pytest.approx(5, abs=0.3)
    assert noisy.to_bytes() == run_lab("audio", sound=sound, transform="noise", snr=5.0).to_bytes()
    same = run_lab("audio", sound=sound, transform="none")
    assert np.array_equal(same.arrays["original"], same.arrays["changed"])
    a = same.arrays
    assert a["original"].dtype == np.int16
    assert a["wave_original"].shape == a["time_original"].shape == (800,)
    assert a["wave_original"].max() == pytest.approx(a["original"].max() / 32767, abs=1e-4)
    assert a["spectrogram_original"].shape == (129, len(a["frame_time_original"]))
