"""A status in words: the verdict, and a sentence for each thing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from birthday_cli.telling.prose import cell, duration

if TYPE_CHECKING:
    from birthday_cli.pipeline.looking.status import Figures, Heartbeat, Problem, Status

_NOT_KNOWN = "not known"
# A row of the fleet that is not well is named; more of them are counted.
_NAMED = 3


def verdict(found: Status) -> str:
    """Return in one line whether all is well, or what is wrong most, and the command for it."""
    if not found.problems:
        return "ALL WELL"
    first, *others = found.problems
    more = f" (and {len(others)} more)" if others else ""
    return f"WRONG: {told(first)}{more}"


def sentences(found: Status, now: datetime) -> list[tuple[str, str]]:
    """Return the other problems, and then how things are, by name."""
    others = [("also wrong", told(problem)) for problem in found.problems[1:]]
    return others + how_it_is(found.figures, now)


def how_it_is(figures: Figures, now: datetime) -> list[tuple[str, str]]:
    """Return how things are, by name."""
    return [
        ("schema", _schema(figures)),
        ("months", f"until {figures.runway.reaches:%Y-%m-%d}" if figures.runway else _NOT_KNOWN),
        ("today", _today(figures)),
        ("lateness", _lateness(figures)),
        ("oldest unsent", _oldest(figures, now)),
        ("queue", _queue(figures)),
        ("workers", _processes(figures, "worker")),
        ("schedule", _processes(figures, "scheduler")),
        ("redis", figures.redis),
    ]


def told(problem: Problem) -> str:
    """Return a problem in one line, with the command for it."""
    return f"{problem.what}: {problem.command}"


def _schema(figures: Figures) -> str:
    if figures.schema is None:
        return _NOT_KNOWN if figures.pending_migrations is None else "none"
    waiting = len(figures.pending_migrations or ())
    return f"version {figures.schema}, " + (f"{waiting} PENDING" if waiting else "up to date")


def _today(figures: Figures) -> str:
    if figures.today is None:
        return _NOT_KNOWN
    counts = ", ".join(f"{count:,} {name}" for name, count in figures.today.items())
    return (counts or "no messages") + (" (estimated)" if figures.estimated else "")


def _lateness(figures: Figures) -> str:
    found = figures.lateness
    if found is None:
        return _NOT_KNOWN
    if found.p50 is None or found.p99 is None or found.worst is None:
        return "nothing was sent yet today"
    median, late, worst = (duration(each) for each in (found.p50, found.p99, found.worst))
    text = f"half within {median}, 99 % within {late}, worst {worst}"
    return text + (" (estimated)" if found.estimated else "")


def _oldest(figures: Figures, now: datetime) -> str:
    if figures.today is None:
        return _NOT_KNOWN
    if figures.oldest_unsent is None:
        return "none is due"
    ago = duration(max(round((now - figures.oldest_unsent).total_seconds()), 0))
    return f"due {cell(figures.oldest_unsent)}, {ago} ago"


def _queue(figures: Figures) -> str:
    if figures.queue is None:
        return _NOT_KNOWN
    text = f"{figures.queue.ready:,} ready, {figures.queue.dead:,} dead"
    if figures.pause:
        text += f"; PAUSED by {figures.pause.by}"
    return text


def _processes(figures: Figures, kind: str) -> str:
    if figures.processes is None:
        return _NOT_KNOWN
    ours = [each for each in figures.processes if each.kind == kind]
    stale = [each for each in ours if each.stale]
    running = [each for each in ours if not each.stale]
    parts = [_running(running, kind)]
    if stale:
        named = ", ".join(
            f"{each.host} {each.pid} for {duration(round(each.silent_for))}"
            for each in stale[:_NAMED]
        )
        more = f" and {len(stale) - _NAMED} more" if len(stale) > _NAMED else ""
        parts.append(f"{len(stale)} SILENT: {named}{more}")
    return "; ".join(parts)


def _running(running: list[Heartbeat], kind: str) -> str:
    if not running:
        return "none runs"
    if kind == "scheduler":
        last = min(running, key=lambda each: each.silent_for)
        return f"{last.host}, {last.state}, {duration(round(last.silent_for))} ago"
    rate = sum(each.rate or 0 for each in running)
    text = f"{len(running)} running, {rate:,.1f} a second"
    states = sorted({each.state for each in running} - {"delivering"})
    return f"{text}; {', '.join(states)}" if states else text
