"""Kinds of tables from public bug reports, with other names, numbers and languages."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regviz.data.datasets import make_dataset
from regviz.specs import DataSpec, SpecError, experiments_from_json
from regviz.tables import Sheet, process, reading
from regviz.tables.choice import Table, choose
from tests.test_own_data import one_sentence
from tests.workbooks import Rows, ods, xlsx

ROOT = Path(__file__).resolve().parents[1]


def read(content: bytes | str, **more: Any) -> Table:
    options = {name: more.pop(name) for name in ("decimal", "sheet") if name in more}
    return choose(reading.read(content, **options), **more)


def refused(content: bytes | str, **more: Any) -> str:
    with pytest.raises(SpecError) as caught:
        read(content, **more)
    return one_sentence(str(caught.value))


def lines(head: str, row: Callable[[int, str], str], labels: str = "ab", n: int = 24) -> str:
    """Return a header and rows; ``row`` receives its number and a label."""
    words = labels.split() if " " in labels else list(labels)
    return head + "".join(row(i, words[i % len(words)]) + "\n" for i in range(n))


def point(i: int, label: str) -> str:
    return f"{i}.5,{i * i % 7},{label}"


# --- what stands between cells, above the table and in its names --------------------------------


@pytest.mark.parametrize(
    "content",
    [
        lines("\ufefflargo;ancho;tipo\r\n", lambda i, k: f"{i},5;{i * i % 7},25;{k}\r").encode(),
        lines("sep=;\nlargo;ancho;tipo\n", lambda i, k: f"{i}.5;{i * i % 7}.25;{k}"),
        lines('"sep=|"\nlargo|ancho|tipo\n', lambda i, k: f"{i}.5|{i * i % 7}.25|{k}"),
        lines("sep=\t\nlargo\tancho\ttipo\n", lambda i, k: f"{i},5\t{i * i % 7},25\t{k}"),
        lines("largo\tancho\ttipo\n", lambda i, k: f"{i}.5\t{i * i % 7}.25\t{k}"),
        lines("|largo|ancho|tipo |\n|---|:-:|---|\n", lambda i, k: f"|{i}.5 | {i * i % 7}.25|{k}|"),
        lines("largo,ancho,tipo\n", lambda i, k: f'"{i},5","{i * i % 7},25","{k}"'),
        lines("largo,ancho,tipo,,\n", lambda i, k: f"{i}.5,{i * i % 7}.25,{k},,") + ",,,,\n,,,,\n",
        lines(",largo,ancho,tipo\n", lambda i, k: f",{i}.5,{i * i % 7}.25,{k}"),
        lines("# largo ancho tipo\n", lambda i, k: f"{i}.5 {i * i % 7}.25 {k}"),
        lines("#largo,ancho,tipo\n", lambda i, k: f"{i}.5,{i * i % 7}.25,{k}"),
    ],
)  # fmt: skip
def test_dialects_make_no_difference(content: bytes | str) -> None:
    found = read(content)
    assert found.inputs == ("largo", "ancho")
    assert found.label == "tipo"
    assert (found.rows, found.dropped, found.notes) == (24, 0, ())
    assert (found.first, found.last) == ((0.5, 0.25, "a"), (23.5, 4.25, "b"))


@pytest.mark.parametrize(
    ("above", "below", "says"),
    [
        (
            "Mediciones de mayo;;\n",
            "",
            "Line 1 was skipped, above the table: “Mediciones de mayo”.",
        ),
        ("Mediciones, de mayo\n\n", "", "Line 1 was skipped"),
        ("# one; two\n# three; 4\n", "", "Lines 1 and 2 were skipped"),
        ("Table 3: all groups; both years;\n;;\nDate:;2024-03-01;\n", "", "Lines 1 and 3 were"),
        ("", "\nFuente: yo;;\n", "Line 27 was skipped, as a remark and no row."),
    ],
)
def test_what_stands_around_a_table_is_skipped_and_said(above: str, below: str, says: str) -> None:
    text = lines(f"{above}largo;ancho;tipo\n", lambda i, k: f"{i}.5;{i * i % 7};{k}") + below
    found = read(text)
    assert found.inputs == ("largo", "ancho")
    assert found.rows == 24
    (note,) = found.notes
    assert says in note


def test_a_row_of_units_below_the_header_is_skipped_and_said() -> None:
    found = read(lines("largo;ancho;tipo\ncm;kg;\n", lambda i, k: f"{i}.5;{i * i % 7};{k}"))
    assert found.notes == ("Line 2 was skipped, as it holds units: “cm”, “kg”.",)
    assert found.first == (0.5, 0.0, "a")


def test_a_header_without_a_name_for_the_row_names_is_one_short() -> None:
    """As R's write.table writes it."""
    found = read(lines('"len" "wid" "sp"\n', lambda i, k: f'"{i + 1}" {i}.5 {i * i % 7}.2 "{k}"'))
    assert found.inputs == ("len", "wid")
    assert found.first == (0.5, 0.2, "a")


def test_line_breaks_in_quoted_cells_are_no_rows_and_an_open_quote_ends_with_its_line() -> None:
    head = '"altura\n(cm)","peso\r\n(kg)",clase\n'
    found = read(lines(head, lambda i, k: f'{i}.5,{i * i % 7},"{k}\nx"'))
    assert found.inputs == ("altura (cm)", "peso (kg)")
    assert found.classes == ("a x", "b x")
    broken = lines("p,q,clase\n", point) + '7.5,"3,a\n' + lines("", point)
    assert "line 26 has 2 columns where the table has 3" in refused(broken)


def test_a_comma_may_stand_in_a_name_or_a_label() -> None:
    found = read(lines("height (cm)\tmass, kg\tkind\n", lambda i, k: f"{i}.5\t{i * i % 7}\t{k}"))
    assert found.inputs == ("height (cm)", "mass, kg")
    text = "p,q,kind\n" + "".join(
        f'{i}.5,{i * i % 7},"{"cat, big" if i % 2 else "dog"}"\n' for i in range(20)
    )
    assert read(text).classes == ("cat, big", "dog")


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("1998,1999,kind\n", ("1998", "1999")),
        ("2023,2024,2\n", ("column 1", "column 2")),  # a row of data: 2 is a label
        ("size,2024,kind\n", ("size", "2024")),  # though the column holds 2020 and more
    ],
)
def test_years_are_a_header_where_the_label_cell_is_no_label(
    head: str, names: tuple[str, str]
) -> None:
    def row(i: int, k: str) -> str:
        return f"{2000 + i if head.endswith('2' + chr(10)) else i}.5,{i * i % 7 + 2020},{k}"

    found = read(lines(head, row, "12"))
    assert found.inputs == names


def test_a_first_row_with_a_label_of_its_own_is_no_header() -> None:
    assert "one row with the label “fox” (line 1)" in refused(lines("23,4,fox\n", point))


def test_decimal_commas_that_nothing_sets_apart_are_refused() -> None:
    said = refused(lines("p,q,kind\n", lambda i, k: f"{i},5,{i},25,{k}"))
    assert "header in line 1 has 3 columns" in said
    assert "most rows have 5" in said


# --- encodings ----------------------------------------------------------------------------------

CYRILLIC = lines("длина;масса;вид\n", lambda i, k: f"{i},5;{i * i % 7},25;{k}", "щука окунь")
CZECH = lines("výška;váha;třída\n", lambda i, k: f"{i},5;{i * i % 7},25;{k}", "kočka pes")
GERMAN = lines("Länge;Größe;Klasse\n", lambda i, k: f"{i},5;{i * i % 7},25;{k}", "Kätzchen Hündin")
JAPANESE = lines("身長,体重,種類\n", lambda i, k: f"{i}.5,{i * i % 7}.25,{k}", "猫 犬")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CYRILLIC, "utf-16"),
        (CYRILLIC, "utf-16-le"),
        (CYRILLIC, "utf-16-be"),
        (CYRILLIC, "utf-32"),
        (CYRILLIC, "utf-8"),
        (JAPANESE, "utf-8-sig"),
        (CYRILLIC, "cp1251"),
        (CZECH, "cp1250"),
        (GERMAN, "cp1252"),
        (GERMAN, "mac_roman"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "gb18030"),
    ],
)
def test_names_are_right_or_said_to_be_uncertain(text: str, encoding: str) -> None:
    one, two, label = re.split("[,;]", text.splitlines()[0])
    found = read(text.encode(encoding))
    sure = encoding.startswith("utf")
    said = [note for note in found.notes if "does not say how its letters are encoded" in note]
    assert len(said) == (0 if sure else 1)
    if sure or encoding not in ("gb18030",):
        assert (*found.inputs, found.label) == (one, two, label)
    assert found.first[:2] == (0.5, 0.25)


def test_plain_letters_leave_no_doubt() -> None:
    assert read(lines("p,q,kind\n", point).encode("cp1251")).notes == ()


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("−3,25", -3.25),
        ("–3,25", -3.25),
        ("1\u00a0050,5", 1050.5),
        ("1\u202f050,5", 1050.5),
        ("1\u2009050,5", 1050.5),
        ("12 345 678,5", 12345678.5),
        ("1’050,5", 1050.5),
        ("1.050,5", 1050.5),
        ("+7,5", 7.5),
        ("2,5e−3", 0.0025),
        (",5", 0.5),
        ("101324,795", 101324.795),
        ("0,1234567890123456", 0.1234567890123456),
        ("999999999999,5", 999999999999.5),
    ],
)
def test_ways_to_write_a_number(cell: str, value: float) -> None:
    found = read(f"p;q;kind\n{cell};1;a\n" + lines("", lambda i, k: f"{i},5;{i * i % 7};{k}"))
    assert found.first == (value, 1.0, "a")
    point_, comma = cell.replace(",", "!").replace(".", ",").replace("!", "."), found.first[0]
    text = f"p\tq\tkind\n{point_}\t1\ta\n" + lines("", lambda i, k: f"{i}.5\t{i * i % 7}\t{k}")
    assert read(text).first[0] == comma


AMBIGUOUS = [("950", "40"), ("1{}050", "50"), ("1{}180", "61"), ("870", "44"), ("2{}240", "70")]


def rents(mark: str, delimiter: str, second: str = "{}", quote: str = "") -> str:
    rows = [
        delimiter.join(
            (f"{quote}{a.format(mark)}{quote}", f"{quote}{second.format(b)}{quote}", "xy"[i % 2])
        )
        for i, (a, b) in enumerate(AMBIGUOUS * 5)
    ]
    return delimiter.join(("rent", "area", "kind")) + "\n" + "\n".join(rows)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("mark", [",", "."])
def test_thousands_that_may_be_decimals_are_asked_about(delimiter: str, mark: str) -> None:
    text = rents(mark, delimiter)
    said = refused(text)
    assert f"“1{mark}050” in the column “rent”, beside “950”, can mean 1050 or 1.05" in said
    assert "--decimal" in said
    other = "." if mark == "," else ","
    assert read(text, decimal=other).points[1][0] == 1050.0
    found = read(text, decimal=mark)
    assert found.points[1][0] == 1.05
    assert any("was read as 1.05" in note for note in found.notes)


def test_thousands_are_known_where_the_table_itself_says_so() -> None:
    thousand = read(rents(",", ",", quote='"'))  # quoted, and commas stand between the columns
    assert thousand.points[1][0] == 1050.0
    assert "“1,050” in “rent” was read as 1050." in thousand.notes
    assert read(rents(",", "\t", "{}.5")).points[1][0] == 1050.0  # points are the decimal sign
    assert read(rents(".", ";", "{},5")).points[1][0] == 1050.0
    # the other column has decimal commas, but 1,05 beside 950 is not to be believed
    assert "can mean 1050 or 1.05" in refused(rents(",", ";", "{},5"))
    assert "can mean 1050 or 1.05" in refused(rents(".", ","))
    assert read(rents("", ",")).points[1][0] == 1050.0


def test_three_decimals_are_decimals_where_a_number_begins_with_zero() -> None:
    text = lines("p;q;kind\n", lambda i, k: f"{i},125;{i % 5},375;{k}")
    assert read(text).first == (0.125, 0.375, "a")
    text = lines("p,q,kind\n", lambda i, k: f"{i + 1}.125,{i % 5 + 1}.375,{k}")
    assert read(text).first == (1.125, 1.375, "a")  # commas stand between the columns
    assert "“1.125” in “p” was read as 1.125." in read(text).notes


def test_points_and_commas_in_one_column_are_refused() -> None:
    said = refused(lines("p;q;kind\n", lambda i, k: f"{i}{'.,'[i % 2]}5;{i * i % 7};{k}"))
    assert "decimal points (line 2: “0.5”) and decimal commas (line 3: “1,5”)" in said


def test_percent_and_units_are_left_out_and_said() -> None:
    found = read(lines("share,mass,kind\n", lambda i, k: f"{i}.5%,{i * i % 7}.25 kg,{k}"))
    assert found.first == (0.5, 0.25, "a")
    assert found.notes == (
        "“share” is in percent: “23.1%” was read as 23.1.",
        "The unit “kg” in “mass” was left out.",
    )
    found = read(lines("Preis;Fläche;Art\n", lambda i, k: f"{i + 1}.{100 + i},50 €;{i},5 m²;{k}"))
    assert found.last[:2] == (24123.5, 23.5)
    mixed = lines("t,m,kind\n", lambda i, k: f"{i}.5,{'400 g' if i == 7 else f'{i % 5} kg'},{k}")
    said = refused(mixed)
    assert "line 9 holds “400 g” in the column “m” where a number with the unit “kg”" in said
    half = lines("t,m,kind\n", lambda i, k: f"{i}.5,{f'{i}00 g' if i % 2 else f'{i % 5} kg'},{k}")
    assert "holds “0 kg”" in refused(half) or "holds “100 g”" in refused(half)
    codes = lines("t,m,r,kind\n", lambda i, k: f"{i}.5,{i % 5}{'ABCDEFGH'[i % 8]},{i * i % 7},{k}")
    assert read(codes).inputs == ("t", "r")


@pytest.mark.parametrize("word", ["NA", "", "NaN", "#N/A", "null", "-", "?", "n/a"])
def test_missing_values_are_named_and_dropped_only_where_somebody_says_so(word: str) -> None:
    text = lines("p,q,kind\n", lambda i, k: f"{word if i in (3, 9) else i + 0.5},{i % 5},{k}")
    assert "2 rows (lines 5 and 11)" in refused(text)
    found = read(text, missing="drop")
    assert (found.rows, found.dropped) == (22, 2)
    assert "2 rows were left out, because a value is missing: lines 5 and 11." in found.notes
    kept = {p[0] for p in found.points}
    assert kept == {i + 0.5 for i in range(24)} - {3.5, 9.5}


def test_what_is_missing_in_a_column_that_is_not_chosen_costs_no_row() -> None:
    text = lines("p,q,r,kind\n", lambda i, k: f"{i}.5,{i % 5},{'' if i % 2 else i},{k}")
    assert read(text).rows == 24
    assert "12 rows" in refused(text, inputs=("p", "r"))


def test_a_label_may_be_none_but_not_nothing() -> None:
    assert read(lines("p,q,kind\n", point, "none mild")).classes == ("mild", "none")
    text = lines("p,q,kind\n", lambda i, k: point(i, "" if i == 4 else k))
    assert "1 row (line 6)" in refused(text)
    assert read(text, missing="drop").rows == 23


# --- which columns ------------------------------------------------------------------------------

IRIS = lines(
    "sepal length,sepal width,petal length,petal width,species\n",
    lambda i, k: (
        f"{5 + i % 8 / 10},{3 + i % 5 / 10},{1 + i % 3 * 2 + i % 4 / 10},{0.2 + i % 3},{k}"
    ),
    "setosa versicolor virginica",
    60,
)


def test_of_iris_two_are_chosen_and_four_are_offered() -> None:
    found = read(IRIS)
    assert found.inputs == ("sepal length", "sepal width")
    assert found.classes == ("setosa", "versicolor", "virginica")
    assert any("“petal length”, “petal width”" in note for note in found.notes)
    other = read(IRIS, inputs=("petal width", "PETAL LENGTH"))
    assert other.inputs == ("petal width", "petal length")
    assert other.first == (0.2, 1.0, "setosa")
    for inputs, says in (
        (("sepal length",), "--inputs: got 1 column; give two"),
        (("sepal length", "sepal length"), "--inputs: got 1 column; give two"),
        (("sepal length", "width"), "no column “width”; choose from “sepal length”"),
        (("sepal length", "species"), "“species” holds words and cannot be an input"),
    ):
        assert says in refused(IRIS, inputs=inputs, **({"label": "petal width"} if "species" in
                               inputs else {}))  # fmt: skip
    assert "cannot be an input and the label" in refused(IRIS, inputs=("sepal length", "species"),
                                                         label="species")  # fmt: skip


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "id", "Nr.", "row_id", "PassengerId", "index"])
@pytest.mark.parametrize("start", [0, 1, 17])
def test_counters_are_not_chosen_and_it_is_said(name: str, start: int) -> None:
    text = lines(f"{name},p,q,kind\n", lambda i, k: f"{start + i},{i}.5,{i * i % 7},{k}")
    found = read(text)
    shown = name or "column 1"
    assert found.inputs == ("p", "q")
    assert f"“{shown}” only counts the rows and was not chosen as an input." in found.notes
    assert read(text, inputs=("p", shown)).inputs == ("p", shown)
    two = lines(f"{name},p,kind\n", lambda i, k: f"{start + i},{i}.5,{k}")
    said = refused(two)
    assert "one input is left, “p”, and two are needed" in said
    assert f"“{shown}” only counts or names the rows" in said


def test_an_index_with_gaps_is_not_chosen() -> None:
    """As pandas writes what is left of a table."""
    text = lines(",p,q,kind\n", lambda i, k: f"{i * i + i},{i}.5,{i * i % 7},{k}")
    assert read(text).inputs == ("p", "q")
    assert "“column 1” only names the rows" in " ".join(read(text).notes)
    bare = lines("", lambda i, k: f"{i * i + i},{i * i % 7},{k}")  # no header, so no index either
    assert read(bare).inputs == ("column 1", "column 2")


def test_a_column_with_a_name_of_its_own_is_chosen_last_where_it_counts() -> None:
    three = lines("day,p,q,kind\n", lambda i, k: f"{i},{i}.5,{i * i % 7},{k}")
    assert read(three).inputs == ("p", "q")
    two = lines("day,p,kind\n", lambda i, k: f"{i},{i}.5,{k}")
    assert read(two).inputs == ("day", "p")


@pytest.mark.parametrize(
    "day",
    [
        "2024-03-{:02}",
        "{:02}.03.2024",
        "3/{}/24",
        "2024-03-{:02}T10:30:00Z",
        "{} Mar 2024",
        "202403{:02}",
        "10:{:02}",
    ],
)
def test_dates_are_no_inputs_and_it_is_said_what_to_do(day: str) -> None:
    text = lines("when,p,q,kind\n", lambda i, k: f"{day.format(i + 1)},{i}.5,{i * i % 7},{k}")
    found = read(text)
    assert found.inputs == ("p", "q")
    (note,) = found.notes
    assert "“when” holds dates" in note
    assert "day of the year" in note
    two = lines("when,p,kind\n", lambda i, k: f"{day.format(i + 1)},{i}.5,{k}")
    said = refused(two)
    assert "one input is left, “p”" in said
    assert "holds dates" in said
    assert "day of the year" in said


@pytest.mark.parametrize("at", [0, 1, 2])
def test_the_column_of_words_is_the_label_wherever_it_stands(at: int) -> None:
    def row(i: int, k: str) -> str:
        cells = [f"{i}.5", f"{i * i % 7}"]
        cells.insert(at, k)
        return ",".join(cells)

    names = ["radio", "textura"]
    names.insert(at, "diagnóstico")
    found = read(lines(",".join(names) + "\n", row, "BM"))
    assert found.label == "diagnóstico"
    assert found.inputs == ("radio", "textura")


def test_a_number_as_label_is_regression_where_it_has_many_values() -> None:
    text = lines("area,rooms,price\n", lambda i, k: f"{40 + i * 1.5},{1 + i % 4},{109.1 + i * 7.3}")
    said = refused(text)
    assert "“price” holds 24 different numbers: predicting a number is regression" in said
    assert "comes later" in said
    assert read(text, label="rooms").classes == ("1", "2", "3", "4")
    text = lines("area,garden,price\n", lambda i, k: f"{i * 1.5},{i % 2},{109.1 + i * 7.3}")
    assert "to predict a number such as “price” is regression" in " ".join(read(text).notes)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (lines("", lambda i, k: f"{i % 3 + 1},{i}.5,{i * i % 17},{i * 3.5}", n=60), "column 1"),
        (lines("bad,p,q\n", lambda i, k: f"{i % 2},{i}.5,{i * 1.5}"), "bad"),
        (lines("p,q,bad,note\n", lambda i, k: f"{i}.5,{i * 1.5},{i % 2},word {i}"), "bad"),
        (lines("p,q,bad,where\n", lambda i, k: f"{i}.5,{i * 1.5},{i % 2},here"), "bad"),
        (lines("id,name,survived,p,q,sex\n", lambda i, k: f"{i},Doe {i},{i % 2},{i}.5,{i * i},"
               f"{'mf'[i % 3 == 1]}"), "survived"),
        (lines("p,q,quality\n", lambda i, k: f"{i}.5,{i * 1.5},{3 + i % 4}"), "quality"),
        (lines("y,x\tz\n".replace("\t", ","), lambda i, k: f"{k},{i}.5,{i * i}"), "y"),
    ],
)  # fmt: skip
def test_the_label_of_tables_that_are_often_met(text: str, label: str) -> None:
    assert read(text).label == label


def test_names_that_are_shown_otherwise_are_said() -> None:
    found = read(lines("p & q,mean corpuscular hemoglobin concentration,kind\n", point, "<5 >=5"))
    assert found.inputs == ("p + q", "mean corpuscular hemoglobin c…")
    assert found.classes == ("‹5", "›=5")
    said = " ".join(found.notes)
    assert "“p & q” as “p + q”" in said
    assert "“<5” as “‹5”" in said


# --- labels -------------------------------------------------------------------------------------


def test_labels_that_differ_by_capitals_or_spaces_are_one() -> None:
    text = lines("p,q,ok\n", lambda i, k: f"{i}.5,{i * i % 7},{k}", "ja JA Ja nein NEIN nein")
    text = text.replace(",NEIN", ", NEIN ")
    found = read(text)
    assert found.classes == ("ja", "nein") or found.classes == ("JA", "nein")
    assert any("differ only by capitals or spaces were read as one" in n for n in found.notes)
    assert len(read(text, merge=False).classes) == 5


@pytest.mark.parametrize("labels", ["1 1.0 2 2.0", "0 0.0 1 1.00", "1 2 1,0 2,0"])
def test_labels_that_are_one_number_are_one(labels: str) -> None:
    found = read(lines("p;q;kind\n", lambda i, k: f"{i}.5;{i * i % 7};{k}".replace(".5", ",5")
                       if "," in labels else f"{i}.5;{i * i % 7};{k}", labels))  # fmt: skip
    assert found.classes in (("1", "2"), ("0", "1"))
    assert any("are one number were read as one" in note for note in found.notes)


def test_labels_like_formulas_are_text() -> None:
    odd = ("é", "e\u0301", "É", "b", "b\u200b", "Ｂ")
    assert read(lines("p,q,kind\n", lambda i, _: point(i, odd[i % 6]))).classes == ("b", "é")
    found = read(lines("p,q,kind\n", point, "+1-800 =cmd|calc @SUM(1) -2+3"))
    assert found.classes == ("+1-800", "-2+3", "=cmd|calc", "@SUM(1)")


def test_a_class_with_one_row_is_refused_by_name() -> None:
    text = lines("p,q,kind\n", point) + "7.5,3,horse\n"
    assert "one row with the label “horse” (line 26)" in refused(text)


# --- what is said -------------------------------------------------------------------------------


def notes(text: str) -> str:
    return " ".join(read(text).notes)


def test_lopsided_classes_are_said_with_their_share() -> None:
    said = notes(
        lines("p,q,kind\n", lambda i, k: point(i, "ill" if i % 20 == 3 else "well"), n=100)
    )
    assert "95 of 100 rows (95%) are “well”" in said
    assert "always says “well” has an accuracy of 95%" in said
    assert "“ill” has 5 rows" not in said
    said = notes(lines("p,q,kind\n", lambda i, k: point(i, "ill" if i in (3, 70) else "ok"), n=400))
    assert "398 of 400 rows (99.5%)" in said.replace("100%", "99.5%")
    assert "“ill” has 2 rows: too few to judge" in said
    assert "lopsided" not in notes(lines("p,q,kind\n", point, "aab", n=60))


@pytest.mark.parametrize(("times", "more"), [(4, 0), (2, 3), (1, 1)])
def test_copied_rows_are_counted(times: int, more: int) -> None:
    rows = [point(i, "ab"[i % 2]) for i in range(15)]
    text = "p,q,kind\n" + "\n".join(rows * times + rows[:more])
    said = notes(text)
    assert f"15 different rows of {15 * times + more}" in said
    assert "both sides of the split" in said


def test_rows_that_differ_in_another_column_are_no_copies() -> None:
    text = lines("p,q,r,kind\n", lambda i, k: f"{i % 3},{i % 2},{i * 1.5},{k}")
    assert "different rows" not in notes(text)
    counted = lines("id,p,q,kind\n", lambda i, k: f"{i},{i % 3},{i % 2 * 5},{k}")
    assert "6 different rows of 24" in notes(counted)


def test_a_constant_column_and_an_outlier_are_said() -> None:
    assert "“q” is 3 in every row" in notes(lines("p,q,kind\n", lambda i, k: f"{i}.5,3,{k}"))
    three = lines("p,c,q,kind\n", lambda i, k: f"{i}.5,3,{i * i % 7},{k}")
    assert "“c” is the same in every row and was not chosen" in notes(three)
    said = notes(lines("p,q,kind\n", lambda i, k: f"{9999 if i == 11 else i}.5,{i * i % 7},{k}"))
    assert "“p” lies far from all others in line 13 (9999.5)" in said
    flat = lines("p,q,kind\n", lambda i, k: f"{i}.5,{-999 if i == 4 else 1 + (i == 9) / 10},{k}")
    assert "“q” lies far from all others in line 6 (-999)" in notes(flat)
    skewed = lines("p,q,kind\n", lambda i, k: f"{1.5**i},{i * i % 7},{k}", n=40)
    assert "lies far" not in notes(skewed).replace("“p” lies far from all others in line 41", "")


def test_rows_are_counted_without_header_and_titles() -> None:
    head = "About this\np,q,kind\n"
    assert "has 2,001 rows" in refused(lines(head, point, n=2001))
    assert read(lines(head, point, n=2000)).rows == 2000
    assert "has 2,001 rows" in refused(lines("", point, n=2001))
    assert "has 150,000 rows" in refused(lines("p,q,k\n", lambda i, k: f"1,2,{k}", n=150_000))
    assert "has 785 columns; give at most 100" in refused(
        "".join(",".join(str(i * j % 256) for j in range(785)) + "\n" for i in range(30))
    )


# --- workbooks ----------------------------------------------------------------------------------

SHEET: Rows = [
    ["Messungen", None, None, None],
    [None, None, None, None],
    ["Tag", "Höhe", "Druck", "Art"],
    *[
        [datetime.date(2024, 3, 1 + i), 1.125 + i, 101_325 + i * 0.01, ("ja", "nein")[i % 2]]
        for i in range(20)
    ],
]
SMALL: Rows = [["p", "q", "ok"], *[[float(i), i * i % 7 + 0.5, i % 2 == 0] for i in range(12)]]


@pytest.mark.parametrize("make", [xlsx, ods])
def test_a_workbook_keeps_its_numbers_and_its_sheets_can_be_chosen(
    make: Callable[[dict[str, Rows]], bytes],
) -> None:
    book = make({"Info": [["About this"]], "Daten": SHEET, "Klein": SMALL})
    found = read(book)
    assert found.inputs == ("Höhe", "Druck")
    assert found.first == (1.125, 101_325.0, "ja")
    assert found.last == (20.125, 101_325 + 19 * 0.01, "nein")
    assert "The sheet “Daten” was read, of 3: “Info”, “Daten”, “Klein”." in found.notes
    assert any("“Tag” holds dates" in note for note in found.notes)
    small = read(book, sheet="Klein")
    assert small.classes == ("FALSE", "TRUE")
    assert small.first == (0.0, 0.5, "TRUE")
    assert "no sheet “Klien”; choose one of “Info”, “Daten”, “Klein”" in refused(
        book, sheet="Klien"
    )
    missing = [list(row) for row in SHEET]
    missing[7][1] = None
    missing[9][2] = "#N/A"
    assert "lines 8 and 10" in refused(make({"a": missing}))
    assert read(make({"a": missing}), missing="drop").dropped == 2


def test_a_text_has_no_sheets() -> None:
    assert "--sheet: the file is no workbook" in refused(lines("p,q,k\n", point), sheet="a")


# --- in a process of its own --------------------------------------------------------------------


def test_another_process_reads_the_same() -> None:
    for content in (IRIS, CYRILLIC.encode("cp1251"), xlsx({"a": SHEET})):
        assert process.read(content) == reading.read(content)
    sheet = reading.read(IRIS)
    assert Sheet.from_dict(json.loads(json.dumps(sheet.to_dict()))) == sheet
    with pytest.raises(SpecError, match="line 1 has 20,000 characters"):
        process.read("x" * 20_000)


def bomb(text: str) -> bytes:
    """Return a small workbook that unpacks to a huge one."""
    source = zipfile.ZipFile(BytesIO(xlsx({"a": SMALL})))
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            body = source.read(name).decode()
            if "sheet1" in name:
                body = body.replace("<sheetData>", f"<sheetData>{text}")
            archive.writestr(name, body)
    return sink.getvalue()


def test_a_file_that_would_take_all_memory_is_refused_in_a_sentence() -> None:
    with pytest.raises(SpecError) as caught:  # a sheet of 17 thousand million cells
        process.read(bomb('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))
    one_sentence(str(caught.value))


def test_what_never_ends_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(SpecError, match=r"could not be read in 0\.01 seconds"):
        process.read(IRIS, timeout=0.01)
    assert time.monotonic() - started < 10


def test_no_more_than_two_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def run(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        meeting.wait(0.05)
        with lock:
            at_once -= 1
        body = json.dumps(reading.read(IRIS).to_dict()).encode()
        return subprocess.CompletedProcess([], 0, body, b"")

    meeting = threading.Event()
    monkeypatch.setattr(subprocess, "run", run)
    threads = [threading.Thread(target=process.read, args=(IRIS,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_the_web_process_reads_without_the_libraries_that_read() -> None:
    code = (
        "import sys\n"
        "from regviz.tables import process, choice\n"
        "from regviz.ui import own_data\n"
        "choice.choose(process.read('a,b,c\\n' + '1,2.5,x\\n3,1.5,y\\n' * 9))\n"
        "bad = {'pandas', 'clevercsv', 'chardet', 'python_calamine', 'dateutil.parser'}\n"
        "sys.exit(', '.join(bad & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# --- the command --------------------------------------------------------------------------------


def command(tmp_path: Path, content: bytes | str, *options: str) -> tuple[int, str, str]:
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = subprocess.run(
        [sys.executable, "-m", "regviz", "table", str(path), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_says_how_a_table_is_understood_and_writes_an_experiment(
    tmp_path: Path,
) -> None:
    spec = tmp_path / "spec.json"
    code, out, err = command(
        tmp_path, IRIS, "--inputs", "petal length,petal width", "-o", str(spec)
    )
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert list(said) == [
        "columns", "inputs", "label", "classes", "rows", "dropped", "notes", "first", "last"
    ]  # fmt: skip
    assert said["columns"] == IRIS.splitlines()[0].split(",")
    assert said["inputs"] == ["petal length", "petal width"]
    assert (said["label"], said["rows"], said["dropped"]) == ("species", 60, 0)
    assert said["first"] == [[1.0, 0.2, "setosa"]]
    (experiment,) = experiments_from_json(spec.read_bytes())
    assert experiment.data.columns == ("petal length", "petal width")
    assert experiment.data == read(IRIS, inputs=("petal length", "petal width")).data(DataSpec())
    assert len(make_dataset(experiment.data).x_train) == 42


def test_the_command_refuses_in_one_sentence(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    comma = lines("mass, kg\tq\tkind\n", lambda i, k: f"{i},5\t{'NA' if i == 3 else i}\t{k}")
    code, out, err = command(tmp_path, comma, "-o", str(spec))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "a value is missing in 1 row (line 5)" in err
    assert not spec.exists()
    code, out, err = command(tmp_path, comma, "--missing", "drop", "--inputs", "q,mass, kg")
    assert (code, err) == (0, "")
    assert json.loads(out)["inputs"] == ["q", "mass, kg"]
    assert json.loads(out)["dropped"] == 1
    for options, says in (
        (("--missing", "keep"), '--missing: got "keep"; choose one of refuse, drop'),
        (("--decimal", "x"), '--decimal: got "x"; give . or ,'),
        (("--label", "zzz"), "--label: the table has no column “zzz”"),
    ):
        code, out, err = command(tmp_path, comma, *options)
        assert (code, out) == (2, "")
        assert says in err


# --- any table ----------------------------------------------------------------------------------

WORDS = (("cat", "dog"), ("big cat", "small dog"), ("x, y", "z"), ("a;b", "c"), ("кот", "пёс"),
         ("0", "1"), ("<5", ">5"), ("A", "B", "C", "D"))  # fmt: skip
NAMES = ("height", "weight (kg)", "Länge, cm", "x", "身長", "a b c", "2023", "T [°C]", "temp;max")


@settings(max_examples=100)
@given(
    st.sampled_from(",;\t|"),
    st.sampled_from((("", ".", ""), ("", ",", ""), (",", ".", ""), (".", ",", "-"),
                     ("\u202f", ",", "−"), ("’", ".", "-"))),
    st.sampled_from(WORDS),
    st.permutations(NAMES),
    st.booleans(),
    st.lists(st.tuples(st.integers(-99_999, 99_999), st.integers(-999, 999)), min_size=12,
             max_size=40),
    st.sampled_from(((1, 1), (10, 100), (1000, 1), (100, 1000))),
)  # fmt: skip
def test_what_is_written_is_read_or_asked_about(
    delimiter: str,
    how: tuple[str, str, str],
    words: tuple[str, ...],
    names: list[str],
    quoted: bool,
    pairs: list[tuple[int, int]],
    parts: tuple[int, int],
) -> None:
    group, decimal, minus = how
    assume(not (delimiter == "," and group == "."))  # there, 1.050 alone is one and a bit, and said

    def written(value: float, part: int) -> str:
        text = f"{value:,.{len(str(part)) - 1}f}"
        table = {",": group, ".": decimal, "-": minus or "-"}
        return "".join(table.get(c, c) for c in text)

    def cell(text: str) -> str:
        return f'"{text}"' if quoted or delimiter in text else text

    values = [(a / parts[0], b / parts[1]) for a, b in pairs]
    rows = [[names[0], names[1], "label"]]
    for i, (a, b) in enumerate(values):
        rows.append([written(a, parts[0]), written(b, parts[1]), words[i % len(words)]])
    text = "\n".join(delimiter.join(map(cell, row)) for row in rows)
    try:
        found = read(text)
    except SpecError as error:
        said = one_sentence(str(error))
        assert "can mean" in said or "only counts or names" in said
        return
    assert found.inputs == (names[0], names[1])
    assert [p[:2] for p in found.points] == values
