"""The engine's exceptions as the answers that the real server gives for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ApiError, engine_failed, wrong_input

_CLOSED = "Shard is not initialized"
_OWN_FAULTS = ("Service runtime error", "Inconsistent storage", "Out of memory", "Operation cancelled", "Timeout error")
_REWORDED = {
    "Wrong usage of sparse vectors": "Conversion between sparse and regular vectors failed",
    "Wrong usage of multi vectors": "Conversion between multi and regular vectors failed",
}


class ShardClosed(ApiError):
    """The collection was deleted or replaced after it was looked up."""

    def __init__(self) -> None:
        super().__init__(500, "Service internal error: the collection was closed meanwhile")


@contextmanager
def reading_engine() -> Iterator[None]:
    """Around a read: what the request is to blame for becomes a 400, a panic of the engine a 500."""
    try:
        yield
    except ApiError:
        raise
    except Exception as error:
        message = str(error)
        if _CLOSED in message:
            raise ShardClosed from None
        if message.startswith(_OWN_FAULTS):
            raise engine_failed(error) from error
        raise wrong_input(_REWORDED.get(message, message)) from None
    except BaseException as error:
        # A Rust panic is no Exception; left alone it would end the thread without an answer.
        if type(error).__name__ != "PanicException":
            raise
        raise engine_failed(error) from None
