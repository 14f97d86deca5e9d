from __future__ import annotations

import io
import sys

import pytest

from birthday_cli.channels import base
from birthday_cli.channels.console import Console
from birthday_cli.config import Settings
from birthday_cli.domain.retry import Outcome, OutcomeClass
from tests.example import MESSAGE


async def test_one_line_tells_date_type_address_and_content(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with base.connect(Settings(delivery_url="console:")) as channel:
        outcome = await channel.send(MESSAGE)

    assert outcome == Outcome(OutcomeClass.DELIVERED)
    assert capsys.readouterr().out == (
        "2026-03-01\tBIRTHDAY\tsiti@example.org\tHappy birthday, Siti Rahayu!\n"
    )


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("a\nb\r\nc\td", r"a\nb\r\nc\td"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("line\u2028sep\x85arator", r"line\u2028sep\x85arator"),
        ("right\u202eleft", r"right\u202eleft"),
        (r"a\nb", r"a\\nb"),
        ("Zoë 佐藤 🎂", "Zoë 佐藤 🎂"),
        ("lone \ud800", r"lone \ud800"),
    ],
)
async def test_a_name_can_neither_forge_a_line_nor_drive_a_terminal(
    content: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await Console().send(MESSAGE._replace(content=content, email="a\n@b"))

    assert capsys.readouterr().out == f"2026-03-01\tBIRTHDAY\ta\\n@b\t{shown}\n"


async def test_what_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))

    outcome = await Console().send(MESSAGE._replace(content="Zoë 佐藤"))

    assert outcome.kind is OutcomeClass.DELIVERED
    assert raw.getvalue().decode("latin-1").endswith("\tZoë \\u4f50\\u85e4\n")


async def test_a_closed_standard_output_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)

    outcome = await Console().send(MESSAGE)

    assert outcome.kind is OutcomeClass.TRANSIENT
    assert outcome.error == "cannot write to stdout: I/O operation on closed file"
