"""The checks that need no database: settings, broker, Redis, the delivery service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from birthday_cli.brokers import rabbitmq_topology
from birthday_cli.channels.reach import reach
from birthday_cli.config import Settings
from birthday_cli.db import cache
from birthday_cli.domain import rules
from birthday_cli.errors import BdayschedError, ExitCode, UsageError, described, redact
from birthday_cli.pipeline.doctor.finding import BUG, Finding, not_known, ok, warning, wrong


async def look_around(settings: Settings) -> dict[str, Finding]:
    """Return what was found, by the names of the checks; all are made at the same time."""
    asked: list[Awaitable[dict[str, Finding]]] = [
        _one("settings", asyncio.to_thread(_settings, settings)),
        _surely("broker", _broker(settings)),
        _one("delivery", _delivery(settings)),
        _one("redis", asyncio.to_thread(_redis, settings)),
    ]
    return {
        name: finding for part in await asyncio.gather(*asked) for name, finding in part.items()
    }


async def _one(name: str, check: Awaitable[Finding]) -> dict[str, Finding]:
    async def named() -> dict[str, Finding]:
        return {name: await check}

    return await _surely(name, named())


async def _surely(name: str, checks: Awaitable[dict[str, Finding]]) -> dict[str, Finding]:
    """Return what checks find; one that fails in an unexpected way costs no other."""
    try:
        return await checks
    except Exception as problem:
        return {name: not_known(described(problem), BUG)}


def _settings(settings: Settings) -> Finding:
    try:
        found = rules.of(settings)
    except UsageError as problem:
        return wrong(str(problem), "mend that setting", ExitCode.USAGE)
    if settings.bdaysched_now:
        return warning(
            f"BDAYSCHED_NOW={settings.bdaysched_now}: planning has another time than the world",
            "unset BDAYSCHED_NOW",
        )
    return ok(f"{', '.join(kind.name for kind in found.message_types)}; {found.leap_rule}")


async def _delivery(settings: Settings) -> Finding:
    if not settings.delivery_url:
        return not_known("DELIVERY_URL is not set here", "set it where run-worker runs")
    try:
        return ok(await reach(settings))
    except UsageError as problem:
        return wrong(str(problem), "mend that setting", ExitCode.USAGE)
    except BdayschedError as problem:
        return wrong(f"cannot reach {problem}", "check DELIVERY_URL, and the service behind it")


def _redis(settings: Settings) -> Finding:
    told = cache.state(settings)
    if told == "not set":
        return ok("not set, and not needed")
    if told == "ok":
        return ok("answers")
    return wrong(told, "check REDIS_URL, and that it runs")


async def _broker(settings: Settings) -> dict[str, Finding]:
    scheme = settings.broker_url.partition(":")[0]
    if scheme == "postgres":
        return {"broker": ok("the database is the broker")}
    if scheme not in ("amqp", "amqps"):
        said = f"BROKER_URL={redact(settings.broker_url)} is not amqp://…, amqps://… or postgres:"
        return {"broker": wrong(said, "mend that setting", ExitCode.USAGE)}
    names = "queue", "dead letters"
    try:
        topology = await rabbitmq_topology.inspect(settings)
    except BdayschedError as problem:
        said, _, command = str(problem).partition(". Check ")
        mend = f"check {command}" if command else "mend BROKER_URL"
        unknown = not_known("the broker cannot be reached")
        return {"broker": wrong(said, mend, problem.exit_code), **dict.fromkeys(names, unknown)}
    dead, work = topology.found
    return {
        "broker": ok(topology.server),
        "queue": _queue(settings, [work, dead]),
        "policies": not_known(
            "policies can change what a queue does, and AMQP does not tell them",
            f"rabbitmqctl list_queues name effective_policy_definition | grep {work.queue.name}",
        ),
        "dead letters": _dead_letters(dead),
    }


def _queue(settings: Settings, found: list[rabbitmq_topology.Found]) -> Finding:
    for each in found:
        if each.fault is None:
            continue
        if each.fault.startswith("NOT_FOUND"):
            return wrong(each.fault, "bdaysched schedule  # makes it")
        return wrong(
            each.fault,
            f"mend the setting, or: rabbitmqctl delete_queue {each.queue.name};"
            " bdaysched queue rebuild --yes",
        )
    work = found[0]
    return ok(
        f"quorum, limit {settings.broker_delivery_limit}, reject-publish, dead-letters at least"
        f" once; {work.messages:,} ready, {work.consumers} consumers"
    )


def _dead_letters(dead: rabbitmq_topology.Found) -> Finding:
    if dead.messages is None:
        return not_known("there is no queue for them")
    if dead.messages:
        return wrong(f"{dead.messages:,} were put aside", "bdaysched queue dead")
    return ok("none")
