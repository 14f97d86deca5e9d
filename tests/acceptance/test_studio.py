"""studio: who is let in, what may be changed, and the pages as a real browser sees them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest
from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db.connect import connect
from birthday_cli.pipeline.looking import browse
from tests import studio_scene
from tests.acceptance.conftest import Program
from tests.browser import Browser, browser
from tests.servers.postgres import PostgresServer, new_database
from tests.studio_screens import PICTURES, running, take

PAGES = ("/", "/users", "/messages", "/attention", "/queue", "/months")
HANG = 60


@dataclass
class Visitor:
    """Somebody with a link, or a part of it."""

    link: str
    cookie: str = ""

    def __post_init__(self) -> None:
        self.address = urlsplit(self.link).netloc
        self.origin = f"http://{self.address}"

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> HTTPResponse:
        connection = HTTPConnection(self.address, timeout=HANG)
        sent = {"Host": self.address, "Cookie": self.cookie, **headers}
        connection.request(method, path, body or None, sent)
        answer = connection.getresponse()
        self.text = answer.read().decode()
        connection.close()
        return answer

    def get(self, path: str, **headers: str) -> int:
        return self.ask("GET", path, **headers).status

    def enter(self) -> HTTPResponse:
        answer = self.ask("GET", f"/?{urlsplit(self.link).query}")
        self.cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        return answer

    def move(self, move: str, message: object, origin: str | None = None) -> HTTPResponse:
        return self.ask(
            "POST",
            "/messages/move",
            urlencode({"move": move, "id": str(message)}),
            Origin=self.origin if origin is None else origin,
        )


@pytest.fixture(scope="module")
def played(pg15: PostgresServer) -> Iterator[str]:
    with new_database(pg15) as url:
        studio_scene.play(url)
        yield urlsplit(url).path.strip("/")


@pytest.fixture
def day(pg15: PostgresServer, played: str) -> Iterator[Settings]:
    with new_database(pg15, played) as url:
        yield studio_scene.seen(url)


@pytest.fixture
def visitor(day: Settings) -> Iterator[Visitor]:
    with running(day.database_url) as link:
        found = Visitor(link)
        found.enter()
        yield found


@pytest.fixture
def writer(day: Settings) -> Iterator[Visitor]:
    with running(day.database_url, "--write") as link:
        found = Visitor(link)
        found.enter()
        yield found


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as found:
        yield found


def failed(day: Settings) -> str:
    """Return the id of a message that FAILED and may be tried again."""
    (message, *_) = browse.attention(day, studio_scene.NOW).failed
    assert message.may_be_retried
    return str(message.id)


def status(day: Settings, message: str) -> str:
    with psycopg.connect(day.database_url) as connection:
        row = connection.execute(
            "SELECT status FROM message_logs WHERE id = %s", (message,)
        ).fetchone()
    assert row
    return str(row[0])


# ---- who is let in


def test_without_the_token_nobody_sees_anything(visitor: Visitor) -> None:
    stranger = Visitor(visitor.link)
    for path in (*PAGES, "/live", "/static/studio.js"):
        assert stranger.get(path) == 401, path
    assert stranger.move("retry", "x").status == 401
    assert stranger.get("/?token=guess") == 403
    assert stranger.get("/", Cookie=re.sub("=.*", "=guess", visitor.cookie)) == 401


def test_the_link_lets_in_and_its_token_stays_in_no_address(visitor: Visitor) -> None:
    answer = Visitor(visitor.link).enter()
    assert (answer.status, answer.getheader("Location")) == (303, "/")
    cookie = answer.getheader("Set-Cookie") or ""
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert urlsplit(visitor.link).query.partition("=")[2] not in cookie
    assert [visitor.get(path) for path in PAGES] == [200] * len(PAGES)


def test_another_name_of_this_host_is_refused(visitor: Visitor) -> None:
    """As DNS rebinding would come."""
    assert visitor.get("/", Host="rebound.example") == 400
    assert visitor.get("/", Host=f"rebound.example:{visitor.address.partition(':')[2]}") == 400


def test_no_page_asks_for_anything_from_elsewhere(visitor: Visitor) -> None:
    for path in PAGES:
        answer = visitor.ask("GET", path)
        assert "default-src 'none'" in (answer.getheader("Content-Security-Policy") or "")
        assert answer.getheader("Cache-Control") == "no-store"
        assert not re.findall(r'(?:src|href|action)="(?:[a-z]+:)?//[^"]*', visitor.text), path


async def test_a_port_that_is_taken_is_named(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = await program.run("studio", "--port", port)
    assert ended.code == 2
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in ended.explanation


def test_a_database_that_is_away_is_a_page_that_says_so() -> None:
    with running("postgresql://me:geheim@127.0.0.1:1/none") as link:
        visitor = Visitor(link)
        visitor.enter()
        for path in PAGES:
            assert visitor.get(path) == 503
            assert "cannot reach the database" in visitor.text
            assert "geheim" not in visitor.text


def test_a_table_that_is_locked_is_a_page_that_says_so(day: Settings, visitor: Visitor) -> None:
    with psycopg.connect(day.database_url) as connection:
        connection.execute("LOCK TABLE users, message_logs")
        for path in PAGES:
            assert visitor.get(path) == 503, path
            assert "bdaysched monitor locks" in visitor.text


# ---- what may be changed


def test_for_reading_only_nothing_is_changed_whoever_asks(day: Settings, visitor: Visitor) -> None:
    message = failed(day)
    assert visitor.move("retry", message).status == 403
    assert "--write" in visitor.text
    assert status(day, message) == "FAILED"
    assert visitor.get("/attention") == 200
    assert 'action="/messages/move"' not in visitor.text


def test_the_database_itself_refuses_to_write(day: Settings) -> None:
    read = browse.read_only(day).settings
    with connect(read, "test") as connection, pytest.raises(errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM users")


def test_a_message_that_failed_is_tried_again_and_that_is_on_record(
    day: Settings, writer: Visitor
) -> None:
    message = failed(day)
    answer = writer.move("retry", message)
    assert answer.status == 303
    assert "told=retry" in (answer.getheader("Location") or "")
    assert status(day, message) == "RETRYING"
    writer.get(answer.getheader("Location") or "")
    assert "to be tried again" in writer.text


def test_of_two_who_press_at_once_one_is_told_that_it_was_left(
    day: Settings, writer: Visitor
) -> None:
    message = failed(day)
    people = [Visitor(writer.link, writer.cookie) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(each.move, "retry", message) for each in people]
        told = sorted((each.result(HANG).getheader("Location") or "") for each in answers)
    assert ["told=left" in each for each in told] == [True, False]
    assert status(day, message) == "RETRYING"


def test_what_was_sent_is_never_sent_again(day: Settings, writer: Visitor) -> None:
    with psycopg.connect(day.database_url) as connection:
        row = connection.execute(
            "SELECT id FROM message_logs WHERE status = 'SENT' LIMIT 1"
        ).fetchone()
    assert row
    for move in ("retry", "release", "sent"):
        assert "told=left" in (writer.move(move, row[0]).getheader("Location") or "")
    assert status(day, str(row[0])) == "SENT"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_a_form_of_another_page_changes_nothing(
    day: Settings, writer: Visitor, origin: str
) -> None:
    message = failed(day)
    assert writer.move("retry", message, origin).status == 403
    assert status(day, message) == "FAILED"


@pytest.mark.parametrize("message", ["", "x", "'; DROP TABLE users; --"])
def test_a_form_that_names_no_message(writer: Visitor, message: str) -> None:
    assert writer.move("retry", message).status == 400
    assert writer.move("drop", "00000000-0000-0000-0000-000000000000").status == 400


# ---- the pages


def test_what_a_user_is_called_is_text(visitor: Visitor) -> None:
    assert visitor.get("/users?text=Brien") == 200
    assert studio_scene.SCRIPT not in visitor.text
    assert "&lt;script&gt;" in visitor.text


def test_in_a_browser_every_page_is_whole_and_nothing_comes_from_elsewhere(
    day: Settings, window: Browser, tmp_path: Path
) -> None:
    with running(day.database_url, "--write") as link:
        window.listen()
        window.asked.clear()
        pictures = take(window, link, tmp_path)
        window.open(link.partition("/?")[0] + "/users?text=Brien")
        assert window.driver.title != "taken over"
        window.listen()
    assert len(pictures) == len(PICTURES)
    assert all(path.stat().st_size > 10_000 for path in pictures)
    ours = {urlsplit(link).netloc}
    assert {urlsplit(each).netloc for each in window.asked if each.startswith("http")} == ours
    # A policy that is violated is told there, as a script that fails is.
    assert not window.driver.get_log("browser")  # type: ignore[no-untyped-call]


def test_in_a_browser_a_page_follows_what_happens(day: Settings, window: Browser) -> None:
    with running(day.database_url) as link:
        before = window.open(link)
        assert "paused" not in before
        with psycopg.connect(day.database_url, autocommit=True) as connection:
            connection.execute("UPDATE heartbeats SET stale_at = now() - interval '1 min'")
        window.until(lambda text: "SILENT" in text)


def test_in_a_browser_many_pages_may_be_open_and_the_one_in_front_follows(
    day: Settings, window: Browser
) -> None:
    """A browser has six connections for all of them."""
    with running(day.database_url) as link:
        window.open(link)
        for _ in range(7):
            window.driver.switch_to.new_window("tab")
            assert "SILENT" not in window.open(link.partition("?")[0])
        with psycopg.connect(day.database_url, autocommit=True) as connection:
            connection.execute("UPDATE heartbeats SET stale_at = now() - interval '1 min'")
        window.until(lambda text: "SILENT" in text)
        first, *others = window.driver.window_handles
        window.driver.switch_to.window(first)
        window.until(lambda text: "SILENT" in text)
        for other in others:
            window.driver.switch_to.window(other)
            window.driver.close()
        window.driver.switch_to.window(first)


def test_in_a_browser_the_button_tries_again(day: Settings, window: Browser) -> None:
    with running(day.database_url, "--write") as link:
        window.open(link)
        window.open(link.partition("/?")[0] + "/attention")
        pressed = window.click("button[value=retry]", "id")
        window.until(lambda text: "to be tried again" in text)
    assert status(day, pressed.removeprefix("retry-")) == "RETRYING"
