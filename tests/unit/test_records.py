from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.pipeline.users.records import Record, records

# No lone surrogates, which StringIO has no trouble with, but a reader of this test would.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"', '""', ",", "\n", "\r\n", "\r", "a\nb", '"\n"', "\x00", "\u2028", "\\.", "\ufeff"]
)
LIMIT = csv.field_size_limit()


def read(content: str) -> list[Record]:
    return list(records(io.StringIO(content, newline="")))


def test_a_record_has_the_number_of_the_line_it_begins_on() -> None:
    assert read('a,b\n\n"one\ntwo\r\nthree",x\r\n\r\nc,""\rd,e') == [
        Record(1, ["a", "b"]),
        Record(3, ["one\ntwo\r\nthree", "x"]),
        Record(7, ["c", ""]),
        Record(8, ["d", "e"]),
    ]


@given(st.lists(st.lists(text, min_size=2, max_size=4), max_size=8))
def test_what_is_written_as_csv_is_read_again(rows: list[list[str]]) -> None:
    written = io.StringIO(newline="")
    lines = []
    for row in rows:
        lines.append(len(written.getvalue().splitlines()))
        csv.writer(written).writerow(row)
    found = read(written.getvalue())
    assert [record.cells for record in found] == rows
    assert not any(record.problem for record in found)


@given(st.lists(st.lists(text, min_size=2, max_size=4), max_size=8))
def test_a_quote_that_is_not_closed_costs_one_line_whatever_follows(rows: list[list[str]]) -> None:
    rows = [["name", *row] for row in rows]
    written = io.StringIO(newline="")
    # All are quoted: the next quote would close the one that was forgotten, and a letter follows.
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(rows)
    broken, *others = read('a,"b,c\n' + written.getvalue())
    assert (broken.line, broken.cells, bool(broken.problem)) == (1, ['a,"b,c'], True)
    assert [record.cells for record in others] == rows


def test_a_quote_that_nothing_contradicts_costs_one_line_too() -> None:
    plain = [f"{number},x\n" for number in range(4)]
    found = read("".join((plain[0], '1,"x\r\n', *plain[2:])))
    assert found[1] == Record(2, ['1,"x'], "unexpected end of data")
    assert found[2:] == [Record(3, ["2", "x"]), Record(4, ["3", "x"])]

    many = [f"{number},x\n" for number in range(LIMIT // 3)]
    broken, *others = read('"' + "".join(many))
    assert (broken.cells, "limit" in broken.problem) == (['"0,x'], True)
    assert [record.line for record in others] == list(range(2, len(many) + 1))
    assert others[-1].cells == [str(len(many) - 1), "x"]


def test_what_stands_after_a_closing_quote_is_refused() -> None:
    broken, after = read('"Bob" B,x\nc,d\n')
    assert (broken.cells, bool(broken.problem)) == (['"Bob" B,x'], True)
    assert after == Record(2, ["c", "d"])


def test_there_are_none_in_an_empty_file() -> None:
    assert read("") == read("\n\n") == []
