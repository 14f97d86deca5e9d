from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.domain import message_types, template
from birthday_cli.domain.user import COLUMNS
from birthday_cli.errors import UsageError

ENTRY = {
    "date_column": '"birthday_date"',
    "send_at": "09:00:00",
    "subject": '"Hello"',
    "template": '"text.txt"',
}


def declare(folder: Path, name: str = "BIRTHDAY", wording: str = "Hi", **changes: str) -> str:
    entry = {key: value for key, value in {**ENTRY, **changes}.items() if value}
    (folder / "text.txt").write_text(wording, encoding="utf-8")
    file = folder / "types.toml"
    lines = [f"{key} = {value}" for key, value in entry.items()]
    file.write_text("\n".join([f"[{name}]", *lines]) + "\n", encoding="utf-8")
    return str(file)


def test_what_is_declared_by_default() -> None:
    found = [
        (kind.name, kind.date_column, kind.send_at, kind.subject) for kind in message_types.load()
    ]
    assert found == [
        ("BIRTHDAY", "birthday_date", time(9), "Happy birthday!"),
        ("ANNIVERSARY", "anniversary_date", time(9), "Happy anniversary!"),
    ]


def test_a_declaration_of_one_s_own(tmp_path: Path) -> None:
    file = declare(tmp_path, "JOINED", "{first_name} 🎂\nyours\n\n", send_at="17:45:30")
    [kind] = message_types.load(file)
    assert (kind.name, kind.send_at) == ("JOINED", time(17, 45, 30))
    assert kind.template.compose({"first_name": "Ada"}) == "Ada 🎂\nyours"


@pytest.mark.parametrize(
    ("name", "wording", "changes", "said"),
    [
        ("birthday", "Hi", {}, r"\[birthday\] is not a name in capitals"),
        ("BIRTHDAY", "Hi", {"send_at": ""}, r"\[BIRTHDAY\] needs date_column, send_at, "),
        ("BIRTHDAY", "Hi", {"color": '"red"'}, r"\[BIRTHDAY\] needs .*nothing else"),
        ("BIRTHDAY", "Hi", {"send_at": '"9:00"'}, "send_at is not a time such as 09:00:00"),
        ("BIRTHDAY", "Hi", {"send_at": "2027-01-01T09:00:00"}, "send_at is not a time"),
        ("BIRTHDAY", "Hi", {"subject": "9"}, "subject is not text in quotes"),
        ("BIRTHDAY", "Hi", {"subject": r'"a\nb"'}, "subject is not one line"),
        ("BIRTHDAY", "Hi", {"date_column": '"b; DROP"'}, "date_column 'b; DROP' is not a column"),
        ("BIRTHDAY", "Hi", {"template": '"none.txt"'}, "none.txt: it cannot be read: No such"),
        ("BIRTHDAY", "{firstname}", {}, r"text.txt: \{firstname\} is not a field: choose from f"),
        ("BIRTHDAY", "{deleted_at}", {}, r"\{deleted_at\} is not a field"),
        ("BIRTHDAY", "{}", {}, r"\{\} is not a field"),
        ("BIRTHDAY", "{first_name!r}", {}, r"\{first_name!r\} is not a field"),
        ("BIRTHDAY", "{first_name:>9}", {}, r"\{first_name:>9\} is not a field"),
        ("BIRTHDAY", "{first_name.__class__}", {}, "is not a field"),
        ("BIRTHDAY", "{first_name", {}, "a brace that is meant is written twice"),
        ("BIRTHDAY", "a } b", {}, "a brace that is meant is written twice"),
        ("BIRTHDAY", "a\x00b", {}, "NUL"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, name: str, wording: str, changes: dict[str, str], said: str
) -> None:
    file = declare(tmp_path, name, wording, **changes)
    with pytest.raises(UsageError, match=said) as refused:
        message_types.load(file)
    assert str(refused.value).startswith(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[BIRTHDAY", "BIRTHDAY = 1", "\xff"])
def test_a_file_that_declares_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "types.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=str(file)):
        message_types.load(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        message_types.load(str(tmp_path / "types.toml"))


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text()), st.text())
def test_fields_are_filled_in_and_the_rest_stays(fields: dict[str, str], text: str) -> None:
    literal = text.replace("\x00", "")
    escaped = literal.replace("{", "{{").replace("}", "}}")
    wording = escaped + "".join(f"{{{name}}}{escaped}" for name in fields)
    expected = literal + "".join(value + literal for value in fields.values())
    assert template.parse(wording).compose(fields) == expected


def test_a_field_that_the_user_does_not_have_leaves_nothing() -> None:
    assert template.parse("in {location_city}!").compose({"location_city": None}) == "in !"
