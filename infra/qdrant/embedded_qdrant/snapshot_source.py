"""From the location of a snapshot to a file of it."""

from __future__ import annotations

import hashlib
import ipaddress
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

import orjson

from .disk_room import require_room
from .errors import ApiError, bad_request, forbidden, malformed_body, wrong_input
from .snapshots import sha256_of

# Without data for so long a download fails: the real server's bound.
_SILENCE_SECONDS = 60
_CHUNK = 1024 * 1024
_HTTP = ("http", "https")


class SnapshotFile(NamedTuple):
    path: Path
    sha256: str | None


def parse_location(text: str) -> SplitResult:
    """Raises 400 for what is no absolute URL."""
    try:
        url = urlsplit(text.strip())
    except ValueError as error:
        raise malformed_body(f"location: {error}") from None
    if not url.scheme:
        raise malformed_body("location: relative URL without a base")
    if url.scheme in _HTTP and not url.hostname:
        raise malformed_body("location: empty host")
    return url


def snapshot_at(url: SplitResult, *, api_key: str | None, with_checksum: bool, work: Path, snapshots_path: Path) -> SnapshotFile:
    """
    A file as it lies, if it is inside the snapshots' folder; what a URL gives is put into `work`.

    `api_key` is sent as the `api-key` header, to that address only. Raises 400, 403 and 500 as the real server does.
    """
    if url.scheme == "file":
        path = _local_path(url, snapshots_path)
        return SnapshotFile(path, sha256_of(path) if with_checksum else None)
    if url.scheme in _HTTP:
        return _download(url, api_key, work)
    raise bad_request(f"Bad request: URL {url.geturl()} with scheme {url.scheme} is not supported")


def _local_path(url: SplitResult, snapshots_path: Path) -> Path:
    path = unquote(url.path)
    if url.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise bad_request("Bad request: Invalid snapshot URI, file path must be absolute or on localhost")
    if not Path(path).exists():
        raise bad_request(f"Bad request: Snapshot file {_quoted(path)} does not exist")
    allowed = snapshots_path.resolve()
    resolved = Path(path).resolve()
    if not resolved.is_relative_to(allowed):
        raise forbidden(f"Forbidden: Snapshot file path must be inside the snapshots directory {_quoted(str(allowed))}")
    return resolved


def _download(url: SplitResult, api_key: str | None, work: Path) -> SnapshotFile:
    address = quote(url.geturl(), safe="%/:?#[]@!$&'()*+,;=~")
    request = urllib.request.Request(address, headers={"User-Agent": "embedded-qdrant"})
    if api_key is not None:
        # Not sent on to where a redirection leads.
        request.add_unredirected_header("api-key", api_key)
    # Without user name and query: they may hold secrets, and errors are logged.
    shown = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    try:
        with _opener(url).open(request, timeout=_SILENCE_SECONDS) as response:
            return _save(response, work / "downloaded")
    except urllib.error.HTTPError as error:
        raise wrong_input(f"Failed to download tar from {shown}: status - {_status(error.code)}") from None
    except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError, ValueError) as error:
        # Only the kind: the text of some quotes the header that holds the key.
        kind = type(getattr(error, "reason", error)).__name__
        raise ApiError(500, f"Service internal error: Http request error: error sending request for url ({shown}): {kind}") from None


def _save(response: Any, target: Path) -> SnapshotFile:
    require_room(target.parent, int(response.headers.get("content-length") or 0))
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := response.read(_CHUNK):
            require_room(target.parent, len(chunk))
            digest.update(chunk)
            file.write(chunk)
    return SnapshotFile(target, digest.hexdigest())


def _opener(url: SplitResult) -> urllib.request.OpenerDirector:
    """HTTP and nothing else: a redirection must not lead to a file. A proxy of the environment is not asked for this machine itself."""
    opener = urllib.request.OpenerDirector()
    handlers = [
        urllib.request.ProxyHandler({} if _is_loopback(url.hostname) else None),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ]
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
