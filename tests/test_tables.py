"""Tables of users: reading, suggested columns, notes and refusals."""

from __future__ import annotations

import codecs
import json
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from regviz.data import own as own_data
from regviz.data.own import EXAMPLE, MAX_USED
from regviz.specs import DataSpec, Experiment, SpecError
from regviz.tables import MAX_BYTES, MAX_ROWS, reading
from regviz.tables.choice import Table, choose
from tests.test_own_data import one_sentence


def read(content: bytes | str, pair: tuple[str, str | None] | None = None, **more: Any) -> Table:
    """Read a table and use the suggested columns."""
    return choose(reading.read(content), pair=pair, **more)


def refused(content: bytes | str, **more: Any) -> str:
    """Return the error sentence for a table, after checking that it is one sentence."""
    with pytest.raises(SpecError) as caught:
        read(content, **more)
    return one_sentence(str(caught.value))


ROWS = [(f"{0.5 * i:.2f}", f"{i * i % 7:.1f}", ("no", "yes")[i % 2]) for i in range(30)]


def table(
    delimiter: str = ",",
    header: tuple[str, ...] | None = ("a", "b", "label"),
    rows: list[tuple[str, str, str]] | None = None,
    end: str = "\n",
) -> str:
    lines = [*([] if header is None else [header]), *(ROWS if rows is None else rows)]
    return end.join(delimiter.join(line) for line in lines) + end


def decimal_commas(text: str) -> str:
    return text.replace(".", ",")


USUAL = read(table())


def test_the_example_reads_and_can_be_told_apart() -> None:
    found = read(EXAMPLE)
    assert found.columns == ("height (cm)", "weight (kg)")
    assert found.classes == ("cat", "dog")
    assert [p[2] for p in found.points].count(0) == 12
    assert found.data(DataSpec(label_noise=0.1)).label_noise == 0.1
    assert own_data.without(found.data(DataSpec(label_noise=0.1))) == DataSpec(label_noise=0.1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", ""])
def test_delimiters_line_ends_and_encodings_make_no_difference(
    delimiter: str, end: str, encoding: str
) -> None:
    text = table(delimiter, end=end)
    assert read(text.encode(encoding) if encoding else text) == USUAL


@pytest.mark.parametrize("delimiter", [";", "\t", " "])
def test_a_decimal_comma_is_a_decimal_point(delimiter: str) -> None:
    assert read(decimal_commas(table(delimiter))) == USUAL


def test_what_spreadsheets_add_is_left_out() -> None:
    text = table(";")
    assert read(text.replace("\n", ";;\n") + ";;;;\n\n  \n") == USUAL
    assert read(text.replace("no", '"no"').replace("a;", '"a";')) == USUAL
    assert read(" ; ".join(("a", "b", "label")) + text[text.index("\n") :]) == USUAL


def test_a_header_need_not_be_there() -> None:
    found = read(table(header=None))
    assert found.points == USUAL.points
    assert found.columns is None


@pytest.mark.parametrize(
    ("header", "at"),
    [
        (("a", "b", "c"), 2),
        (("label", "a", "b"), 0),
        (("a", "Class", "b"), 1),
        (("TARGET", "b", "c"), 0),
        (("y", "x1", "x2"), 0),
        (("x", "y", "group"), 2),
        (("y", "class", "b"), 1),
        (("label", "label", "b"), 2),
    ],
)
def test_the_label_column_is_found_by_its_name_or_is_the_last(
    header: tuple[str, str, str], at: int
) -> None:
    rows = []
    for a, b, label in ROWS:
        cells = [a, b]
        cells.insert(at, label)
        rows.append((cells[0], cells[1], cells[2]))
    found = read(table(header=header, rows=rows))
    assert found.points == USUAL.points
    a, b = (name for i, name in enumerate(header) if i != at)
    assert found.columns == (a, b if b != a else f"{b} (2)")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("0", "1"), ("0", "1")),
        (("1", "0"), ("0", "1")),
        (("-1", "1"), ("-1", "1")),
        (("10", "9"), ("9", "10")),
        (("dog", "cat"), ("cat", "dog")),
        (("größer", "kleiner"), ("größer", "kleiner")),
        (("<=50K", ">50K"), ("‹=50K", "›50K")),
        (("AT&T", "BT"), ("AT+T", "BT")),
        (("\u200d\u200e", "x"), ("x", "class 1")),
    ],
)
def test_any_two_labels_are_classes_0_and_1(
    labels: tuple[str, str], classes: tuple[str, str]
) -> None:
    found = read(table(rows=[(a, b, labels[i % 2]) for i, (a, b, _) in enumerate(ROWS)]))
    assert found.classes == classes
    first = sorted(labels, key=lambda t: (float(t) if t.strip("-").isdigit() else 0, t))
    assert [p[2] for p in found.points] == [int(first[0] != labels[i % 2]) for i in range(30)]
    assert read(table()).data(DataSpec()).classes == ("no", "yes")


def test_labels_that_are_one_number_are_one_label() -> None:
    rows = [(a, b, ("1", "0", "1.0")[i % 3]) for i, (a, b, _) in enumerate(ROWS)]
    assert read(table(rows=rows)).classes == ("0", "1")


@given(st.integers(10, 2000), st.floats(0, 1), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_long_table_is_thinned_evenly_and_no_class_is_lost(
    n: int, share: float, rng: random.Random
) -> None:
    y = [int(rng.random() < share) for _ in range(n)]
    y[0:4] = [0, 1, 0, 1]
    kept = own_data.thinned(y)
    assert kept == sorted(set(kept))
    assert len(kept) == min(n, MAX_USED)
    of = [y[i] for i in kept]
    assert min(of.count(0), of.count(1)) >= 2
    assert abs(of.count(1) / len(of) - sum(y) / n) < 2.5 / len(of)
    for label in (0, 1):  # the same number kept in each stretch, to one
        rank = {i: r for r, i in enumerate(i for i in range(n) if y[i] == label)}
        ranks = [rank[i] for i in kept if y[i] == label]
        steps = np.diff(ranks)
        assert steps.max() - steps.min() <= 1


def test_thinning_is_said() -> None:
    rows = [(f"{i}", f"{i % 13}", "ab"[i % 2]) for i in range(1500)]
    found = read(table(rows=rows))
    assert len(found.points) == 500
    assert found.rows == 1500
    assert "Of 1,500 rows, 500 are used, spread evenly over the table." in found.notes
    assert USUAL.notes == ()


def broken(line: int, text: str) -> str:
    lines = table().splitlines()
    lines[line - 1] = text
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("\n \n;;\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not a table in plain text"),
        (b"PK\x03\x04 spreadsheet", "not a workbook that can be read"),
        (codecs.BOM_UTF16_LE + b"a", "not a table in plain text"),
        ("a,b,label", "line 1 is the only one"),
        ("a,b\n" + "1,2\n" * 20, "has 2 columns (a, b)"),
        ("a,b,c,d,e,f\n" + "1,2,3,4,5,6\n" * 20, "the label column “f” holds only “6”"),
        ("word\n" * 20, "has 1 column"),
        (broken(4, "1.0,zz,no"), "line 4 holds “zz” in the column “b”"),
        (broken(4, "1.0,,no"), "a value is missing in 1 row (line 4)"),
        (broken(7, "1.0,nan,no"), "a value is missing in 1 row (line 7)"),
        (broken(7, "inf,2,no"), "line 7 holds “inf”"),
        (broken(7, "1_0,2,no"), "line 7 holds “1_0”"),
        (broken(7, "１,2,no"), "line 7 holds “１”"),
        (broken(7, "1e15,2,no"), "numbers must be below 1e+15 in size"),
        (broken(7, "1e999,2,no"), "numbers must be below 1e+15 in size"),
        (broken(9, "1.0,2"), "line 9 has 2 columns where the table has 3"),
        (broken(9, "1,2,3,no"), "line 9 has 4 columns where the table has 3"),
        (broken(9, '"1.0,2,no'), "line 9 has 1 column where the table has 3"),
        (broken(9, "1.0,2,"), "a value is missing in 1 row (line 9)"),
        (broken(9, "x" * 10_001), "line 9 has 10,001 characters"),
        (broken(9, "1.0,2,maybe"), "one row with the label “maybe” (line 9)"),
        (
            "\n".join(f"{i},{i},{i}" for i in range(20)),
            "holds 20 different numbers: predicting a number is regression",
        ),
        (table().replace("yes", "no"), "“label” holds only “no”"),
        (table(rows=ROWS[:9]), "has 9 rows"),
        (table(rows=[(a, b, "no") for a, b, _ in ROWS[1:]] + ROWS[1:2]), "one row with the label"),
        (table(rows=ROWS * 100), "has 3,000 rows"),
        (table(rows=ROWS * 66 + ROWS[:21]), "has 2,001 rows"),
        (table(header=None, rows=ROWS * 66 + ROWS[:21]), "has 2,001 rows"),
        ("1,2,a\n" * 400_000, "bytes; give at most 1,000,000"),
    ],
)
def test_each_kind_of_damage_has_its_sentence(content: bytes | str, says: str) -> None:
    assert says in refused(content)


def test_all_bad_lines_are_counted_and_the_first_are_named() -> None:
    lines = table().splitlines()
    for i in range(3, 20, 2):
        lines[i] = "1,oops,no"
    assert "in lines 6, 8, 10, 12, 14 and 3 more too" in refused("\n".join(lines))


SPECIES = [(f"{i}", f"{-i}", ("cat", "dog", "eel")[i % 3]) for i in range(60)]


def test_of_several_labels_one_is_told_from_another_or_from_the_rest() -> None:
    text = table(rows=SPECIES)
    rest = read(text, ("eel", None))
    assert rest.classes == ("all others", "eel")
    assert [p[2] for p in rest.points] == [int(i % 3 == 2) for i in range(60)]
    two = read(text, ("cat", "eel"))
    assert two.classes == ("eel", "cat")
    assert two.points == tuple((i, -i, int(i % 3 == 0)) for i in range(60) if i % 3 != 1)
    assert "40 rows have one of these two labels; the others were left out." in two.notes
    for pair in (("cat", "cat"), ("cow", None), ("cat", "cow"), ("", "")):
        with pytest.raises(SpecError, match="choose which is to be told from which"):
            read(text, pair)
    with pytest.raises(SpecError, match=r"has 6 rows with these labels"):
        read(table(rows=SPECIES[:9]), ("cat", "dog"))
    assert read(table(), ("whoever", None)) == USUAL  # two need no choice


def test_all_labels_are_classes_at_once() -> None:
    found = read(table(rows=SPECIES))
    assert found.classes == ("cat", "dog", "eel")
    assert [p[2] for p in found.points] == [i % 3 for i in range(60)]
    once = [*SPECIES, ("1", "2", "fox")]
    assert "has one row with the label “fox” (line 62)" in refused(table(rows=once))
    many = [(str(i), "1", f"c{i % 11}") for i in range(44)]
    assert "11 different labels" in refused(table(rows=many))


@given(st.lists(st.integers(2, 700), min_size=2, max_size=10), st.integers(40, 500))
def test_of_many_rows_each_class_keeps_its_share(sizes: list[int], most: int) -> None:
    y = [k for k, size in enumerate(sizes) for _ in range(size)]
    kept = own_data.thinned(y, most)
    assert len(kept) == min(len(y), most) == len(set(kept))
    for k, size in enumerate(sizes):
        count = sum(y[i] == k for i in kept)
        assert count >= 2
        if len(y) > most:
            due = most * size / len(y)
            assert count <= max(2, due + 1)
            assert count >= min(size, due - 2 * len(sizes))


# --- 1,000 damaged files ------------------------------------------------------------------------

Damage = Callable[[random.Random, bytes], bytes]


def _somewhere(rng: random.Random, b: bytes) -> int:
    return rng.randrange(len(b) + 1)


def _insert(rng: random.Random, b: bytes, piece: bytes) -> bytes:
    at = _somewhere(rng, b)
    return b[:at] + piece + b[at:]


def _cut(rng: random.Random, b: bytes) -> bytes:
    a, z = sorted((_somewhere(rng, b), _somewhere(rng, b)))
    return b[:a] + b[z:]


PIECES = [
    b'"',
    b"''",
    b",",
    b";",
    b"\t",
    b"\0",
    b"\n",
    b"\r",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"NaN",
    b"-inf",
    b"1e400",
    b"9" * 3000,
    b"1" * 90,
    b"<script>a(1)</script>",
    b"=HYPERLINK(1)",
    b"\\",
    b"%s{}",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x98\x80",
    b"\xc3\x28",
    b"\x1b[31m",
    b"#",
    b"1.2.3",
    b"0x10",
    b"1,5",
    b"--1",
    b"PK\x03\x04",
    b"label",
    b"\n\n\n",
    b'"\n"',
    b",,,,,,,,,,",
    b" " * 500,
    b"1e999",
    b"-Infinity",
    b"1_000",
    b"1" * 1_000_000,
    "٣,٤,no\n".encode(),  # digits, but not of this kind of number
    "１,２,no\n".encode(),
    b'=cmd|"/c calc"!A1',
    b"+1+1,@SUM(1),no\n",
    b'"1\n2",3,"no"\n',
    "\ufeff".encode("utf-16"),
    b"1,2,maybe\n",
    b"1,2,\n",
]

DAMAGES: list[Damage] = [
    lambda rng, b: _insert(rng, b, rng.choice(PIECES)),
    lambda rng, b: _cut(rng, b),
    lambda rng, b: b[: _somewhere(rng, b)],
    lambda rng, b: _insert(rng, b, rng.randbytes(rng.randrange(1, 40))),
    lambda rng, b: b.replace(rng.choice([b",", b"\n", b"."]), rng.choice(PIECES)),
    lambda rng, b: b.replace(rng.choice([b",", b"\n", b".", b"no"]), rng.choice(PIECES), 1),
    lambda rng, b: bytes(c ^ (1 << rng.randrange(8)) if rng.random() < 0.01 else c for c in b),
    lambda rng, b: b * rng.choice([0, 2, 30]),
    lambda rng, b: b"\n".join(rng.sample(b.split(b"\n"), b.count(b"\n"))),
    lambda rng, b: b.decode("latin-1").encode(rng.choice(["utf-16", "utf-16-le", "utf-32"])),
    lambda rng, b: b.replace(b"\n", b"\r\n"),
    lambda rng, b: b.replace(b"\n", rng.choice([b"\r", b"\v", b"\x85", b"\xe2\x80\xa8"])),
    lambda rng, b: b[: b.find(b"\n") + 1],  # the header alone
    lambda rng, b: b.replace(b",", rng.choice([b";", b"|", b"\t"]), rng.randrange(1, 40)),
    lambda rng, b: b"".join(bytes([c, 0]) for c in b),
    lambda rng, b: b.replace(b"yes", rng.choice([b"a", b"no", b"1", b""]), rng.randrange(1, 9)),
    lambda rng, b: b + rng.randbytes(5000),
]  # fmt: skip


def check(content: bytes | str) -> bool:
    """Read a table; return whether that worked. An error must be one sentence."""
    try:
        found = read(content)
    except SpecError as error:
        one_sentence(str(error))
        return False
    for note in found.notes:
        assert note.isprintable()
    e = Experiment(found.data(DataSpec()))  # what was read is always an experiment
    assert Experiment.from_dict(json.loads(e.canonical_json())) == e
    return True


def test_a_thousand_damaged_files_read_or_say_one_sentence() -> None:
    rng = random.Random(5)
    sound = [table(d, h).encode() for d in ",;\t " for h in (("a", "b", "label"), None)]
    sound += [EXAMPLE.encode(), table(rows=SPECIES).encode()]
    good = 0
    started = time.process_time()
    for _ in range(1000):
        content = rng.choice(sound)
        for _ in range(rng.randrange(1, 4)):
            content = rng.choice(DAMAGES)(rng, content)
        good += check(content)
    assert 50 < good < 950  # both happen
    assert time.process_time() - started < 20


@given(st.binary(max_size=300) | st.text(max_size=300))
@example("1,2,\ud800\n")
def test_any_bytes_and_any_text_read_or_say_one_sentence(content: bytes | str) -> None:
    check(content)


@pytest.mark.parametrize(
    "unit",
    ["1,2,a\n", "1" * 99 + ",", '"', '"\n', ",", ";" * 999 + "\n", "\n", " ", "9" * 999 + "\n"],
)
def test_the_work_is_bounded_by_the_size(unit: str) -> None:
    """The largest file of such content is read far faster than in quadratic time."""
    whole = (unit * (MAX_BYTES // len(unit) + 1))[:MAX_BYTES]
    in_rows = ("".join(unit * 1000)[:990].replace("\n", "") + "\n") * MAX_ROWS
    for content in (whole, in_rows[:MAX_BYTES]):
        started = time.process_time()
        check(content)
        assert time.process_time() - started < 3
