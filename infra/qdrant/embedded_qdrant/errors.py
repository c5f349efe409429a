"""What a request can be answered with instead of a result. Messages and statuses are those of the real server."""

from __future__ import annotations


class ApiError(Exception):
    """Answered as `{"status": {"error": message}, "time": seconds}` with this HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class PlainError(ApiError):
    """Answered as plain text: the message alone is the body."""


def bad_request(message: str) -> ApiError:
    return ApiError(400, message)


def not_found(message: str) -> ApiError:
    return ApiError(404, message)


def forbidden(message: str) -> ApiError:
    return ApiError(403, message)


def conflict(message: str) -> ApiError:
    return ApiError(409, message)


def unprocessable(message: str) -> ApiError:
    return ApiError(422, message)


def not_served(feature: str) -> ApiError:
    return ApiError(501, f"Not served by the embedded Qdrant: {feature}. Use a Qdrant server for it.")


def malformed_body(message: str) -> ApiError:
    """The body is JSON of the wrong form (or no JSON)."""
    return bad_request(f"Format error in JSON body: {message}")


def invalid_body(path: str, message: str) -> ApiError:
    """A value of the right form that a validator refuses. `path` is the field as the real server spells it: `points[0].id`."""
    return unprocessable(f"Validation error in JSON body: [{path}: {message}]")


def wrong_input(message: str) -> ApiError:
    return bad_request(f"Wrong input: {message}")


def engine_failed(error: object) -> ApiError:
    return ApiError(500, f"Service internal error: {error}")
