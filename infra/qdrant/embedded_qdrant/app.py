"""The ASGI application: routes, keys, gzip, and what is not found."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import alias_routes, collection_routes, point_write_routes, read_routes, service_routes, snapshot_routes, unserved_routes
from .auth import RequireApiKey
from .registry import Registry
from .settings import Settings

# Writes first: a route is found by trying one after the other. What is not served comes last.
_MODULES = (point_write_routes, read_routes, service_routes, alias_routes, collection_routes, snapshot_routes, unserved_routes)
# The real server compresses small answers too; only nothing at all stays as it is.
_LEAST_BYTES_TO_COMPRESS = 1


def make_app(registry: Registry, settings: Settings) -> ASGIApp:
    routes: list[Route] = [route for module in _MODULES for route in module.routes]
    app = Starlette(routes=routes, exception_handlers={404: _nothing_here, 405: _nothing_here})
    app.router.redirect_slashes = False
    app.state.registry = registry
    app.state.settings = settings
    return NormalizePath(RequireApiKey(GZipMiddleware(app, minimum_size=_LEAST_BYTES_TO_COMPRESS, compresslevel=1), settings))


async def _nothing_here(_: Request, __: Exception) -> Response:
    """The real server answers an unknown route or method with an empty body."""
    return Response(status_code=404)


class NormalizePath:
    """Routes are found by the path as it was sent, without repeated and trailing slashes: `%2F` in a name is no slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["raw_path"].decode("latin-1")
            while "//" in path:
                path = path.replace("//", "/")
            scope["path"] = path.rstrip("/") or "/"
        await self._app(scope, receive, send)
