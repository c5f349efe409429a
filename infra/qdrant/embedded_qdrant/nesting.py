"""How deep JSON may go. The engine logs deeper values than it can read back, and then never opens the collection again."""

from __future__ import annotations

from typing import Any

from .errors import malformed_body

# The engine's log holds 128 levels, some of which are its own.
MOST_LEVELS = 100


def check_nesting(value: Any, left: int = MOST_LEVELS) -> None:
    """Raises 400 for a value of more than MOST_LEVELS levels."""
    if left == 0:
        raise malformed_body("recursion limit exceeded")
    for part in value.values() if type(value) is dict else value if type(value) is list else ():
        if type(part) is dict or type(part) is list:
            check_nesting(part, left - 1)
