"""The server's settings, read from the same environment variables as the real server's. Nothing else reads the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOG_LEVELS = ("trace", "debug", "info", "warn", "error", "off")


class SettingsError(Exception):
    """One line that names the variable and never its value."""


@dataclass(frozen=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 6333
    storage_path: Path = Path("./storage")
    snapshots_path: Path = Path("./snapshots")
    log_level: str = "info"
    max_request_bytes: int = 32 * 1024 * 1024
    # Out of the printed form: a traceback or a log line must not show them.
    api_key: str | None = field(default=None, repr=False)
    read_only_api_key: str | None = field(default=None, repr=False)


def load_settings(env: Mapping[str, str]) -> Settings:
    """Raises SettingsError. An empty variable counts as one that is not set."""
    given = {name: value for name, value in env.items() if value != ""}
    return Settings(
        host=given.get("QDRANT__SERVICE__HOST", "127.0.0.1"),
        port=_number(given, "QDRANT__SERVICE__HTTP_PORT", 6333, 65_535),
        storage_path=Path(given.get("QDRANT__STORAGE__STORAGE_PATH", "./storage")).absolute(),
        snapshots_path=Path(given.get("QDRANT__STORAGE__SNAPSHOTS_PATH", "./snapshots")).absolute(),
        log_level=_log_level(given.get("QDRANT__LOG_LEVEL", "info")),
        max_request_bytes=_number(given, "QDRANT__SERVICE__MAX_REQUEST_SIZE_MB", 32, 4096) * 1024 * 1024,
        api_key=given.get("QDRANT__SERVICE__API_KEY"),
        read_only_api_key=given.get("QDRANT__SERVICE__READ_ONLY_API_KEY"),
    )


def _number(env: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = env.get(name, str(default))
    if not text.isdecimal() or not 0 <= int(text) <= most:
        raise SettingsError(f"{name} must be a whole number up to {most}")
    return int(text)


def _log_level(text: str) -> str:
    # The real server takes filters such as `info,raft=debug`; the first plain level is the one that matters here.
    level = next((part for part in text.lower().split(",") if part in LOG_LEVELS), None)
    if level is None:
        raise SettingsError(f"QDRANT__LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}")
    return level
