"""The application: an address for each page, and one for what changes on it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from birthday_cli.errors import (
    BdayschedError,
    DatabaseUnreachable,
    Locked,
    NotUpToDate,
    UsageError,
    redact,
)
from birthday_cli.pipeline.looking.monitor import FRESH_FOR
from birthday_cli.studio import live, moves
from birthday_cli.studio.desk import Desk, NotThere, Page
from birthday_cli.studio.guard import Guard
from birthday_cli.studio.pages import attention, day, messages, months, queue, user, users
from birthday_cli.studio.rendering import FOLDER, Renderer

PAGES: list[Any] = [day, users, user, messages, attention, months, queue]
_CODES = {NotThere: 404, UsageError: 400, DatabaseUnreachable: 503, NotUpToDate: 503, Locked: 503}


def application(desk: Desk, token: str, port: int, stopping: asyncio.Event) -> Guard:
    """Return the application, which ends its streams once `stopping` is set."""
    renderer = Renderer(desk)
    shared = live.Shared(FRESH_FOR)
    routes: list[BaseRoute] = [
        Mount("/static", StaticFiles(directory=FOLDER / "static"), name="static"),
        Route("/messages/move", _mover(desk, renderer), methods=["POST"]),
    ]
    for page in PAGES:
        routes.append(Route(page.PATH, _shower(desk, renderer, page)))
        if page.LIVES:
            path = f"{page.PATH.rstrip('/')}/live"
            routes.append(Route(path, _streamer(desk, renderer, page, shared, stopping)))
    return Guard(
        Starlette(routes=routes, exception_handlers={404: _not_found(renderer)}), token, port
    )


def _query(request: Request) -> dict[str, str]:
    return {**request.query_params, **request.path_params}


def _shower(desk: Desk, renderer: Renderer, page: Page) -> Any:
    def show(request: Request) -> Response:
        query = _query(request)
        try:
            return HTMLResponse(renderer.page(page, page.find(desk, query), query))
        except BdayschedError as problem:
            return _explained(renderer, problem)

    return show


def _streamer(
    desk: Desk, renderer: Renderer, page: Page, shared: live.Shared, stopping: asyncio.Event
) -> Any:
    async def follow(request: Request) -> Response:
        query = _query(request)

        def find() -> str:
            try:
                return json.dumps({"html": renderer.live(page, page.find(desk, query), query)})
            except BdayschedError as problem:
                return json.dumps({"problem": _said(problem)})

        key = repr((page.PATH, sorted(query.items())))
        return live.stream(lambda: shared.get(key, lambda: run_in_threadpool(find)), stopping)

    return follow


def _mover(desk: Desk, renderer: Renderer) -> Any:
    async def move(request: Request) -> Response:
        body = await request.body()
        try:
            told = await run_in_threadpool(moves.move, desk, body)
        except moves.NotAllowed as problem:
            return HTMLResponse(renderer.problem(str(problem), heals=False), 403)
        except BdayschedError as problem:
            return _explained(renderer, problem)
        return RedirectResponse(told, 303)

    return move


def _explained(renderer: Renderer, problem: BdayschedError) -> Response:
    code = next((code for kind, code in _CODES.items() if isinstance(problem, kind)), 500)
    return HTMLResponse(renderer.problem(_said(problem), heals=code >= 500), code)


def _said(problem: BdayschedError) -> str:
    return redact(str(problem))


def _not_found(renderer: Renderer) -> Any:
    def show(_request: Request, _problem: Exception) -> Response:
        return HTMLResponse(renderer.problem("there is no such page", heals=False), 404)

    return show
