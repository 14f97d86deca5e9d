"""Templates and what they call: everything that others wrote is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from birthday_cli.studio.desk import Desk, Page
from birthday_cli.telling import prose

FOLDER = Path(__file__).parent
_COMMAND = re.compile(r"`([^`]+)`")


class Renderer:
    """Makes pages of what they found."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            cell=prose.for_people,
            code=_code,
            duration=prose.duration,
            heading=prose.heading,
            instant=prose.instant,
            size=prose.size,
            time=lambda moment: f"{moment.astimezone(UTC):%H:%M}",
        )
        self._environment.globals["link"] = _link

    def page(self, page: Page, found: Mapping[str, Any], query: Mapping[str, str]) -> str:
        """Return a whole page."""
        template = self._environment.get_template(page.TEMPLATE)
        return template.render(self._context(page, found, query))

    def live(self, page: Page, found: Mapping[str, Any], query: Mapping[str, str]) -> str:
        """Return the part of a page that changes."""
        template = self._environment.get_template(page.TEMPLATE)
        context = template.new_context(self._context(page, found, query))
        return "".join(template.blocks["live"](context))

    def problem(self, text: str, heals: bool) -> str:
        """Return a page that says in one line what is wrong; it comes again by itself if heals."""
        template = self._environment.get_template("problem.html")
        return template.render(text=text, heals=heals, path="", live_path="", now=self._desk.now())

    def _context(
        self, page: Page, found: Mapping[str, Any], query: Mapping[str, str]
    ) -> dict[str, Any]:
        live_path = f"{page.PATH.rstrip('/')}/live" if page.LIVES else ""
        return {
            "path": page.PATH,
            "live_path": _link(live_path, **query) if live_path else "",
            "may_write": self._desk.may_write,
            "by_role": self._desk.access.by_role,
            "now": self._desk.now(),
            "query": query,
            **found,
        }


def _link(path: str, **query: object) -> str:
    """Return path with the parts of query that are not empty."""
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def _code(text: str) -> Markup:
    """Return text with what stands in backticks set as commands."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped
