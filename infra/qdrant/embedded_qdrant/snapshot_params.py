"""What a request says of a snapshot, read as strictly as the real server reads it."""

from __future__ import annotations

import string
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from starlette.datastructures import QueryParams

from .errors import ApiError, bad_request
from .json_structs import Struct, variant
from .json_values import text
from .snapshot_source import parse_location
from .validation import invalid, plain_code

# Which replica wins; here there is one, so it is checked and dropped.
_PRIORITIES = ("no_sync", "snapshot", "replica")
_SHA256_LENGTH = 64


class RecoverRequest(NamedTuple):
    """`checksum`: the SHA-256 that the file must have, in hexadecimal."""

    location: SplitResult
    checksum: str | None
    api_key: str | None


def wait_param(query: QueryParams) -> bool:
    """True unless the query says otherwise. Raises 400."""
    given = query.get("wait", "true")
    if given not in ("true", "false"):
        raise bad_request("Deserialize error in query parameters: provided string was not `true` or `false`")
    return given == "true"


def upload_checksum(query: QueryParams) -> str | None:
    """Of the query of an upload, with its priority checked. Raises 400 and 422."""
    priority = query.get("priority")
    if priority is not None and priority not in _PRIORITIES:
        expected = ", ".join(f"`{name}`" for name in _PRIORITIES)
        raise bad_request(f"Deserialize error in query parameters: unknown variant `{priority}`, expected one of {expected}")
    checksum = query.get("checksum")
    _check_checksum(checksum, "query parameters")
    return checksum


def recover_request(body: Any) -> RecoverRequest:
    """Raises 400 and 422."""
    given = _RECOVER(body)
    checksum = given.get("checksum")
    _check_checksum(checksum, "JSON body")
    return RecoverRequest(given["location"], checksum, _as_header(given.get("api_key")))


def _location(value: Any) -> SplitResult:
    return parse_location(text(value))


_RECOVER = Struct(
    "SnapshotRecover",
    required={"location": _location},
    optional={"priority": variant(*_PRIORITIES), "checksum": text, "api_key": text},
)


def _as_header(api_key: str | None) -> str | None:
    if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
        raise ApiError(500, "Service internal error: malformed API key")
    return api_key


def _check_checksum(checksum: str | None, where: str) -> None:
    if checksum is not None and (len(checksum) != _SHA256_LENGTH or not set(checksum) <= set(string.hexdigits)):
        raise invalid(where, "checksum", plain_code("invalid_sha256_hash"))
