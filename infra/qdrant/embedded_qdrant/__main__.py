"""`python -m embedded_qdrant`: the server, configured by the environment."""

from __future__ import annotations

import logging
import os
import signal
import sys

import uvicorn

from .app import make_app
from .maintenance import Maintenance
from .registry import BrokenStorage, Registry, StorageInUse
from .settings import Settings, SettingsError, load_settings

# The real server's status when it cannot open its storage.
PANICKED = 101
_LEVELS = {"trace": "debug", "debug": "debug", "info": "info", "warn": "warning", "error": "error", "off": "critical"}


def main() -> int:
    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        print(f"embedded qdrant: {error}", file=sys.stderr)
        return 2
    level = _LEVELS[settings.log_level]
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    registry = Registry(settings.storage_path, settings.snapshots_path)
    try:
        registry.open()
    except (StorageInUse, BrokenStorage) as error:
        print(f"embedded qdrant: {error}", file=sys.stderr)
        return PANICKED
    return _serve(registry, settings, level)


def _serve(registry: Registry, settings: Settings, level: str) -> int:
    maintenance = Maintenance(registry)
    maintenance.start()
    server = uvicorn.Server(_server_config(registry, settings, level))
    # uvicorn raises the signal that stopped it anew once it is done; ours is not to end before the collections are closed.
    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, lambda *_: None)
    server.run()
    maintenance.stop()
    registry.close()
    return 0 if server.started else 1


def _server_config(registry: Registry, settings: Settings, level: str) -> uvicorn.Config:
    return uvicorn.Config(
        make_app(registry, settings),
        host=settings.host,
        port=settings.port,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=level,
        access_log=False,
        server_header=False,
        # Idle connections of clients' pools live longer than a client's own patience with them.
        timeout_keep_alive=75,
        # A request that hangs must not keep the process from ending.
        timeout_graceful_shutdown=20,
    )


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Not sys.exit: it would wait for the threads of requests that were given up.
    os._exit(status)
