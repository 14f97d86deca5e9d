"""Who is let in: by the address they use, the token they were given, and where they come from.

A page in the same browser may send requests here too. DNS rebinding gives it our address under a
name of its own, which the Host header tells; a form of its own comes with its Origin.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing from elsewhere, and nothing but files of ours: no script or style within a page runs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Names and addresses of people stay in no cache.
    "Cache-Control": "no-store",
}
# The port may be another where the page is reached through a tunnel; a name of somebody else's
# choosing can't be one of these.
_HOSTS = {"127.0.0.1", "localhost"}
_ASK_AGAIN = "open the link that `bdaysched studio` printed"


class Guard:
    """Lets through to `app` what comes with `token`, once in the URL and then by a cookie."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        # A cookie holds for all ports of a host, so that of another studio has another name.
        self._cookie = f"bdaysched_studio_{port}"
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.get("host", "").partition(":")[0] not in _HOSTS:
            return PlainTextResponse("this is for 127.0.0.1 and localhost only\n", 400)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if "token" in query:
            return self._welcome(scope["path"], query)
        if not _equal(self._cookie_of(headers), self._session):
            return PlainTextResponse(f"{_ASK_AGAIN}\n", 401)
        if scope["method"] not in ("GET", "HEAD") and not _is_from_here(headers):
            return PlainTextResponse("that came from another page\n", 403)
        return None

    def _welcome(self, path: str, query: dict[str, str]) -> Response:
        if not _equal(query.pop("token"), self._token):
            return PlainTextResponse(f"the token is another by now: {_ASK_AGAIN}\n", 403)
        # Without the token, so that it stays in no history.
        rest = f"?{urlencode(query)}" if query else ""
        answer = RedirectResponse(f"/{path.lstrip('/')}{rest}", 303)
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
        return answer

    def _cookie_of(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found else ""


def _is_from_here(headers: Headers) -> bool:
    """Whether a browser says that a page of ours sent this.

    Under our own Referrer-Policy the Origin of a form is `null` (Fetch, section 3.2): then the
    browser tells by Sec-Fetch-Site, which no page can set.
    """
    origin = headers.get("origin")
    if origin == "null":
        return headers.get("sec-fetch-site") == "same-origin"
    return origin == f"http://{headers['host']}"


def _equal(given: str, ours: str) -> bool:
    return secrets.compare_digest(given.encode(), ours.encode())
