"""Text augmentation: the effect of each transformation, its limits, and the stored example."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regviz.labs import LABS, Whole
from regviz.labs.text import (
    BACK_TRANSLATION,
    SENTENCES,
    SYNONYMS,
    TRANSFORMS,
    augment,
    changed_words,
    random_deletion,
    random_insertion,
    random_swap,
    synonym_replacement,
)
from tests.test_labs import run_lab

WORDS = SENTENCES[0].split()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(0, len(SENTENCES) - 1), st.integers(0, 8), st.integers(0, 1000))
def test_each_changes_what_it_says_and_nothing_else(which: int, n: int, seed: int) -> None:
    words = SENTENCES[which].split()
    out = synonym_replacement(words, n, rng=rng(seed))
    pairs = [(a, b) for a, b in zip(words, out, strict=True) if a != b]
    assert len(pairs) == min(n, sum(w in SYNONYMS for w in words))
    assert all(b in SYNONYMS[a] for a, b in pairs)

    out = random_insertion(words, n, rng=rng(seed))
    assert len(out) == len(words) + n
    more = Counter(out) - Counter(words)
    options = {s for w in words for s in SYNONYMS.get(w, ())}
    assert set(more) <= options
    rest = iter(out)
    assert all(any(word == other for other in rest) for word in words)  # in the same order

    out = random_swap(words, n, rng=rng(seed))
    assert Counter(out) == Counter(words)
    assert changed_words(words, out) <= 2 * n

    out = random_deletion(words, n / 10, rng=rng(seed))
    rest = iter(words)
    assert all(any(word == other for other in rest) for word in out)
    assert out


def test_deletion_drops_a_share_p() -> None:
    kept = [len(random_deletion(WORDS, 0.3, rng=rng(i))) for i in range(500)]
    assert np.mean(kept) / len(WORDS) == pytest.approx(0.7, abs=0.02)
    assert random_deletion(WORDS, 0.0, rng=rng()) == WORDS
    assert len(random_deletion(WORDS, 1.0, rng=rng())) == 1
    assert random_deletion([], 0.5, rng=rng()) == []


def test_limits() -> None:
    assert random_swap(["one"], 3, rng=rng()) == ["one"]
    assert synonym_replacement(["qwerty"], 3, rng=rng()) == ["qwerty"]
    assert random_insertion(["qwerty"], 3, rng=rng()) == ["qwerty"]
    for transform in TRANSFORMS:
        assert augment(WORDS, transform, 0.0, rng=rng()) == WORDS
        assert augment(WORDS, transform, 0.4, rng=rng(1)) == augment(
            WORDS, transform, 0.4, rng=rng(1)
        )
    with pytest.raises(ValueError, match="choose one of synonym_replacement"):
        augment(WORDS, "translate", 0.1, rng=rng())


def test_distance_over_words() -> None:
    assert changed_words(["a", "b", "c"], ["a", "b", "c"]) == 0
    assert changed_words(["a", "b", "c"], ["a", "x", "c", "d"]) == 2
    assert changed_words([], ["a", "b"]) == 2


def test_what_is_shipped_fits_together() -> None:
    shipped = {word for sentence in SENTENCES for word in sentence.split()}
    assert set(SYNONYMS) <= shipped
    assert all(sum(word in SYNONYMS for word in s.split()) >= 5 for s in SENTENCES)
    assert all(word not in options for word, options in SYNONYMS.items())
    assert BACK_TRANSLATION.steps[0][1] in SENTENCES
    rule = LABS["text"].parameters["sentence"]
    assert isinstance(rule, Whole)
    assert rule.high == len(SENTENCES) - 1


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_gallery_shows_changed_sentences(transform: str) -> None:
    frame = run_lab("text", transform=transform, sentence=2, strength=0.3, count=8)
    changed = frame.values["changed"]
    assert isinstance(changed, list)
    assert len(set(changed)) > 4
    before = SENTENCES[2].split()
    assert frame.values["original"] == SENTENCES[2]
    assert frame.numbers("changes") == [changed_words(before, t.split()) for t in changed]
    assert frame.values["stored"] == 0
    more = run_lab("text", transform=transform, sentence=2, strength=0.3, count=9)
    assert more.values["changed"][:8] == changed  # type: ignore[index]


def test_back_translation_is_said_to_be_stored() -> None:
    frame = run_lab("text", transform="back_translation")
    assert frame.values["stored"] == 1
    assert frame.values["steps"] == [list(step) for step in BACK_TRANSLATION.steps]
