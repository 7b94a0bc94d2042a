"""
Owns the errors that the client raises: what the server said, or why nothing of it was heard. Never a verdict: a program that fails is an answer.
Invariant: whatever has a code of the API's catalog is asked again or not as the catalog says.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Optional

from .codes import API_CODES

CLIENT_CODES: Mapping[str, str] = MappingProxyType(
    {
        "connection-failed": "the server could not be reached, or the connection broke",
        "no-answer": "nothing came in the time that an answer may take",
        "deadline-exceeded": "what was asked for was not there in the time that the caller gave it",
        "answer-unexpected": "somebody between here and the API answered, or it is no such API",
        "answer-malformed": "what came is not what the API answers",
        "answer-too-large": "what came is larger than this client takes",
        "stream-consumed": "a stream that was sent in part can not be sent again",
    }
)
"""What goes wrong on this side of the wire, with its sentence."""

_RETRYABLE_STATUSES = frozenset({408, 429, 502, 503, 504})
_RETRYABLE_HERE = frozenset({"connection-failed", "no-answer"})
_DETAIL_CHARACTERS_MAX = 200


@dataclass(frozen=True)
class ErrorPlace:
    """An offending place of a request."""

    pointer: str
    """JSON pointer into the body, the parameters of the path or the headers; `?name` for the query."""
    detail: str
    """What is wrong there."""


class EnvicutorError(Exception):
    """Why something could not be done."""

    code: str
    """Stable: one of the API's codes (docs/errors.md), or of `CLIENT_CODES`."""
    detail: str
    """What was attempted, what is wrong with it, and the remedy."""
    status: Optional[int]
    """HTTP status; None when there was no answer."""
    errors: tuple[ErrorPlace, ...]
    """Offending places of the request."""
    request_id: Optional[str]
    """What an operator finds it by in the logs."""
    retry_after_seconds: Optional[float]
    """How long the server wants to be left alone."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: Optional[int] = None,
        errors: tuple[ErrorPlace, ...] = (),
        request_id: Optional[str] = None,
        retry_after_seconds: Optional[float] = None,
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.errors = errors
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def __reduce__(self) -> tuple[Any, ...]:
        # What has names only would be lost on its way to another process.
        return (self.__class__, (self.code, self.detail), dict(self.__dict__))

    @property
    def is_retryable(self) -> bool:
        """May the same request be answered otherwise later?"""
        if self.code in API_CODES:
            return API_CODES[self.code]
        if self.status is not None:
            return self.status in _RETRYABLE_STATUSES
        return self.code in _RETRYABLE_HERE


class ApiError(EnvicutorError):
    """An answer that says no; `status` is that of the answer."""


class NetworkError(EnvicutorError):
    """Nothing answered: no connection, a broken one, or silence."""


class DeadlineExceeded(EnvicutorError, TimeoutError):
    """What the caller's `timeout_seconds` ended; what was to be run is cancelled at the server."""


def to_answer_error(status: int, headers: Mapping[str, str], content: bytes, now: float) -> ApiError:
    """The error of an answer that is none of success; `now` in seconds since 1970."""
    retry_after = _to_retry_after(headers.get("retry-after"), now)
    request_id = headers.get("x-request-id")
    text = content.decode("utf-8", "replace")
    problem = _parse_problem(text)
    if problem is None:
        detail = f"answered {status} without a problem of this API: {text[:_DETAIL_CHARACTERS_MAX]}"
        return ApiError(
            "answer-unexpected", detail, status=status, request_id=request_id, retry_after_seconds=retry_after
        )
    code, told = problem["code"], problem.get("detail")
    named = problem.get("requestId")
    return ApiError(
        code,
        told if isinstance(told, str) else code,
        status=status,
        errors=_to_places(problem.get("errors")),
        request_id=named if isinstance(named, str) else request_id,
        retry_after_seconds=retry_after,
    )


def _parse_problem(text: str) -> Optional[dict[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("code"), str) else None


def _to_places(errors: object) -> tuple[ErrorPlace, ...]:
    if not isinstance(errors, list):
        return ()
    places = [place for place in errors if isinstance(place, dict)]
    return tuple(ErrorPlace(str(place.get("pointer", "")), str(place.get("detail", ""))) for place in places)


def _to_retry_after(text: Optional[str], now: float) -> Optional[float]:
    """Seconds, or a date from now."""
    if text is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
