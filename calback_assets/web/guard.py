"""The guard before Dagster's web application: which requests reach it, and from whom.

Plain ASGI: no request is read beyond its head, and nothing is known here of how the application is started. Dagster's
own application has no log-in, executes what any page sends it by GET, form or WebSocket, and takes reports of
materializations that no run has made; whoever serves it puts this before it.
"""

import secrets
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_GRAPHQL = "/graphql"
_TOKEN = "token"  # noqa: S105 - the name of a parameter
_HEADERS = {
    # No other page frames what is shown here, holds on to its window, or is handed its bytes or its addresses.
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_FRAMES = "frame-ancestors 'self'"
_LOG_IN = """<!doctype html><meta charset="utf-8"><title>Dagit</title>
<p>Dagit is opened with its token: follow the address that was printed where it was started, or give the token here.</p>
<form action="/"><input name="token" type="password" aria-label="Token" autofocus> <button>Open</button></form>
"""


def guarded(app: ASGIApp, *, token: str | None, port: int, hosts: Iterable[str] = ()) -> ASGIApp:
    """The application behind the guard.

    Args:
        app: Dagster's web application.
        token: What a person must show once to come in; None lets everybody look, which is for an application that
            changes nothing.
        port: Tells the cookies of several servers on one machine apart.
        hosts: Names that browsers may know it by, besides those of this machine itself.
    """
    # A page whose name is made to resolve to this machine sends that name. The port is held by what Origin must be.
    return TrustedHostMiddleware(_Guard(app, token, f"calback_{port}"), [*LOOPBACK_NAMES, *hosts], www_redirect=False)


class _Guard:
    def __init__(self, app: ASGIApp, token: str | None, cookie: str) -> None:
        self._app = app
        self._token = token
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.append("Content-Security-Policy", _FRAMES)  # Dagit's pages have a policy of their own.
            await send(message)

        await (self._answer(HTTPConnection(scope)) or self._app)(scope, receive, send_guarded)

    def _answer(self, request: HTTPConnection) -> Response | None:
        """What to say instead of Dagster, if anything."""
        if _is_of_another_page(request):
            return PlainTextResponse("refused: the request comes from another page\n", 403)
        if not _is_of_dagit(request):
            return PlainTextResponse("refused: Dagit's own pages send no such request\n", 405)
        if self._token is None:
            return None
        if request.scope["path"] == "/" and _TOKEN in request.query_params:
            return self._log_in(request, self._token)
        if _is_same(request.cookies.get(self._cookie, ""), self._token):
            return None
        return HTMLResponse(_LOG_IN, 401)

    def _log_in(self, request: HTTPConnection, token: str) -> Response:
        if not _is_same(request.query_params[_TOKEN], token):
            return HTMLResponse(_LOG_IN, 401)
        # Away from the address that holds the token.
        inside = RedirectResponse("/", 303)
        is_secure = request.url.scheme == "https"
        inside.set_cookie(self._cookie, token, httponly=True, samesite="strict", secure=is_secure)
        return inside


def _is_of_another_page(request: HTTPConnection) -> bool:
    """Whether a page of another origin, be it only of another port, made a browser send this.

    Following a link hither is no such thing: nothing is changed by it, and the page that had the link sees nothing.
    """
    headers = request.headers
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers["host"]:
        return True
    is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    # Programs do not say it, nor do browsers to a name that is reached without TLS; they say Origin.
    return headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not is_link


def _is_of_dagit(request: HTTPConnection) -> bool:
    """Whether Dagit's pages, or a person's browser on the way to them, send such a request.

    Everything is changed through GraphQL, which a page of another origin cannot send as JSON without asking first. Any
    other way in, such as the paths on which Dagster takes reports of materializations, is shut.
    """
    is_graphql: bool = request.scope["path"] == _GRAPHQL
    if request.scope["type"] == "websocket":
        return is_graphql
    method = request.scope["method"]
    if method == "POST":
        return is_graphql and request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    # Dagster answers this with the page of its query editor, and otherwise executes the query in the address.
    is_shown = not is_graphql or "text/html" in request.headers.get("accept", "")
    return method in ("GET", "HEAD") and is_shown


def _is_same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())
