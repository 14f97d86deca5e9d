"""An explanation for a person on call, at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from birthday_cli.cli.prose import step, wrapped
from birthday_cli.telling import message_story, story

if TYPE_CHECKING:
    from birthday_cli.pipeline.looking.explain import Explanation
    from birthday_cli.telling.message_story import Chapter


def lines(found: Explanation) -> Iterator[str]:
    """Yield the lines of the text."""
    for sentence in story.who(found):
        yield from wrapped(sentence)
    for message in found.next:
        yield ""
        yield from _chapter(story.coming(message, found))
    yield ""
    if not found.messages and not found.gone:
        yield "no messages yet"
    for told in found.messages:
        yield from _chapter(message_story.message(told, found))
    for gone in found.gone:
        yield from wrapped(message_story.gone(gone))
    if found.older_messages:
        yield f"and {found.older_messages} older; --limit shows more"


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield from wrapped(chapter.title)
    for at, text in chapter.steps:
        yield from step(at, text)
    for note in chapter.notes:
        yield from wrapped(note, 3)
