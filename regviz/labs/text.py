"""Text augmentation: four small changes to a sentence that (mostly) keep its meaning.

Standard library and NumPy's random numbers only. The sentences, the table of synonyms and the
back-translation are stored here; nothing is downloaded or translated.

Source of the four: Wei & Zou 2019, "EDA: Easy Data Augmentation", arXiv 1901.11196.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SENTENCES = (
    "the movie was a great surprise and the actors played their small parts with real joy",
    "a slow story with a weak ending made the long evening feel even longer",
    "the food was good but the old waiter was rude and the bill was large",
    "our new phone is fast and the picture is clear even in dark rooms",
    "the quick answer of the friendly team made a bad day a little better",
    "i think the book is smart and funny yet the last chapter is too short",
)

SYNONYMS: dict[str, tuple[str, ...]] = {
    "movie": ("film", "picture"),
    "great": ("wonderful", "big", "superb"),
    "surprise": ("wonder", "shock"),
    "actors": ("players", "performers"),
    "small": ("little", "minor", "tiny"),
    "real": ("true", "genuine"),
    "joy": ("delight", "pleasure"),
    "slow": ("sluggish", "unhurried"),
    "story": ("tale", "plot"),
    "weak": ("feeble", "poor"),
    "ending": ("finish", "close"),
    "long": ("lengthy", "extended"),
    "evening": ("night",),
    "food": ("meal", "dishes"),
    "good": ("fine", "nice", "decent"),
    "old": ("aged", "elderly"),
    "rude": ("impolite", "unfriendly"),
    "bill": ("check",),
    "large": ("big", "high"),
    "new": ("fresh", "recent"),
    "fast": ("quick", "speedy"),
    "picture": ("image", "screen"),
    "clear": ("sharp", "crisp"),
    "dark": ("dim", "gloomy"),
    "rooms": ("spaces",),
    "quick": ("fast", "prompt", "rapid"),
    "answer": ("reply", "response"),
    "friendly": ("kind", "warm"),
    "team": ("staff", "crew"),
    "bad": ("poor", "awful"),
    "little": ("bit", "small"),
    "better": ("nicer",),
    "think": ("believe", "feel"),
    "book": ("novel", "volume"),
    "smart": ("clever", "bright"),
    "funny": ("amusing", "comic"),
    "last": ("final", "closing"),
    "short": ("brief",),
}
"""A small table of synonyms. It ignores context, which is the weakness of the method."""


@dataclass(frozen=True)
class BackTranslation:
    """A stored example as (language, text): a sentence, its translation, its back-translation."""

    steps: tuple[tuple[str, str], ...]


BACK_TRANSLATION = BackTranslation(
    (
        ("English", "the food was good but the old waiter was rude and the bill was large"),
        ("German", "das Essen war gut, aber der alte Kellner war unhöflich und die Rechnung hoch"),
        ("English again", "the meal was good, but the old waiter was impolite and the bill high"),
    )
)
"""Written by hand, because the app contains no translation model.

Source of the method: Sennrich et al. 2016, arXiv 1511.06709.
"""


def synonym_replacement(words: Sequence[str], n: int, *, rng: np.random.Generator) -> list[str]:
    """Replace at most ``n`` words by one of their synonyms."""
    out = list(words)
    known = [i for i, word in enumerate(words) if word in SYNONYMS]
    for i in rng.permutation(known)[:n]:
        options = SYNONYMS[words[i]]
        out[i] = options[rng.integers(len(options))]
    return out


def random_insertion(words: Sequence[str], n: int, *, rng: np.random.Generator) -> list[str]:
    """Insert ``n`` times a synonym of a random word of the sentence at a random position."""
    out = list(words)
    known = [word for word in words if word in SYNONYMS]
    for _ in range(n if known else 0):
        options = SYNONYMS[known[rng.integers(len(known))]]
        out.insert(int(rng.integers(len(out) + 1)), options[rng.integers(len(options))])
    return out


def random_deletion(words: Sequence[str], p: float, *, rng: np.random.Generator) -> list[str]:
    """Drop each word with probability ``p``, but at least one stays: dropout for words."""
    kept = rng.random(len(words)) >= p
    if words and not kept.any():
        kept[rng.integers(len(words))] = True
    return [word for word, keep in zip(words, kept, strict=True) if keep]


def random_swap(words: Sequence[str], n: int, *, rng: np.random.Generator) -> list[str]:
    """Swap the words at two different positions, ``n`` times."""
    out = list(words)
    for _ in range(n if len(out) > 1 else 0):
        i, j = rng.choice(len(out), 2, replace=False)
        out[i], out[j] = out[j], out[i]
    return out


def augment(
    words: Sequence[str], transform: str, strength: float, *, rng: np.random.Generator
) -> list[str]:
    """Apply one of the four; ``strength`` is the share α of words to change.

    n = max(1, round(α·words)) changes, none for α = 0; deletion drops each word with p = α.

    Raises
    ------
    ValueError
        If ``transform`` is unknown.
    """
    if strength == 0:
        return list(words)
    n = max(1, round(strength * len(words)))
    if transform == "synonym_replacement":
        return synonym_replacement(words, n, rng=rng)
    if transform == "random_insertion":
        return random_insertion(words, n, rng=rng)
    if transform == "random_swap":
        return random_swap(words, n, rng=rng)
    if transform == "random_deletion":
        return random_deletion(words, strength, rng=rng)
    raise ValueError(f"transform: got {transform!r}; choose one of {', '.join(TRANSFORMS)}.")


TRANSFORMS = ("synonym_replacement", "random_insertion", "random_deletion", "random_swap")


def changed_words(before: Sequence[str], after: Sequence[str]) -> int:
    """Return the smallest number of words to insert, delete or replace (Levenshtein distance)."""
    row = list(range(len(after) + 1))
    for i, word in enumerate(before, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(after, start=1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
            diagonal, row[j] = row[j], cost
    return row[-1]
