"""API keys, as the real server has them: a key for everything, and one that only reads."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import forbidden
from .settings import Settings

_OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/livez"})


class RequireApiKey:
    """Refuses requests without a key with 401 in plain text, except for health; without any key configured everything is allowed."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._full = settings.api_key
        self._read_only = settings.read_only_api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._allows_all() or scope["path"] in _OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        key = _given_key(scope)
        if key is None:
            await Response("Must provide an API key or an Authorization bearer token", 401)(scope, receive, send)
        elif _same(self._full, key):
            await self._app(scope, receive, send)
        elif _same(self._read_only, key):
            scope["read_only"] = True
            await self._app(scope, receive, send)
        else:
            await Response("Invalid API key or JWT", 401)(scope, receive, send)

    def _allows_all(self) -> bool:
        return self._full is None and self._read_only is None


def refuse_read_only(scope: Any) -> None:
    """Raises 403 if the request came with the read-only key."""
    if scope.get("read_only"):
        raise forbidden("Forbidden: Global manage access is required")


def _given_key(scope: Scope) -> bytes | None:
    bearer: bytes | None = None
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == b"api-key":
            return value
        if name == b"authorization" and value.startswith(b"Bearer "):
            bearer = value[len(b"Bearer ") :]
    return bearer


def _same(expected: str | None, given: bytes) -> bool:
    return expected is not None and hmac.compare_digest(expected.encode(), given)
