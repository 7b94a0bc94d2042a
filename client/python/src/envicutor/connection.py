"""
Owns what both drivers know of HTTP: where the server is, whose key goes along, how long what may take, what a failure of httpx is called here.
Never sends anything. Invariant: the key goes nowhere but to that server, not even by a redirect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Optional
from urllib.parse import urlencode

import httpx

from .clock import Clock
from .errors import DeadlineExceeded, EnvicutorError, NetworkError
from .exchange import Call, Heard

ANSWER_BYTES_MAX = 512 * 1024 * 1024
"""What an answer may weigh that is read as a whole."""
PROBLEM_BYTES_MAX = 1024 * 1024
"""What is read of an answer that says no."""
# Whoever waits holds a connection; the server has its own bounds.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)


def _own_version() -> str:
    try:
        return version("envicutor")
    except PackageNotFoundError:
        return "0"


def to_server(url: str) -> str:
    """The whole address of a server, without a slash at its end."""
    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"'{url}' is no http or https address: give the server's, such as http://127.0.0.1:7070")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ValueError(
            f"'{parsed.copy_with(userinfo=b'')}' has more than a path behind its host: a key goes into 'key'"
        )
    return str(parsed).rstrip("/")


@dataclass(frozen=True)
class Connection:
    """One server as one tenant."""

    server: str
    key: Optional[str]
    clock: Clock

    def url_of(self, call: Call) -> str:
        """Where it is sent to."""
        query = urlencode({name: value for name, value in call.query.items() if value is not None})
        return f"{self.server}{call.path}{'?' if query else ''}{query}"

    def headers_of(self, call: Call, is_streamed: bool) -> Mapping[str, str]:
        """What goes along."""
        headers = {
            "user-agent": f"envicutor-python/{_own_version()}",
            "accept": "*/*" if is_streamed else "application/json",
        }
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        if call.content is not None:
            headers["content-type"] = call.content_type
        if is_streamed:
            # Positions in a file are positions in what comes, and an event is told before a compressor has enough.
            headers["accept-encoding"] = "identity"
        return {**headers, **call.headers}

    def remaining(self, call: Call) -> Optional[float]:
        """Seconds until its deadline; raises when that is over."""
        if call.deadline is None:
            return None
        left = call.deadline - self.clock.monotonic()
        if left <= 0:
            raise too_late(call)
        return left

    def timeout_of(self, call: Call) -> httpx.Timeout:
        """How long each part of it may take."""
        left = self.remaining(call)
        silence = call.silence_seconds_max if left is None else min(call.silence_seconds_max, left)
        return httpx.Timeout(silence, pool=None)

    def to_failure(self, error: httpx.HTTPError, call: Call) -> EnvicutorError:
        """What a failure of httpx is, for whoever asks again and whoever reads it; other failures are the program's own."""
        if call.deadline is not None and self.clock.monotonic() >= call.deadline:
            return too_late(call)
        what = f"{call.method} {call.path}"
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            return NetworkError("no-answer", f"{what}: nothing came for {call.silence_seconds_max:g} s")
        if isinstance(error, httpx.DecodingError):
            return EnvicutorError("answer-malformed", f"{what}: {error}")
        said = str(error) or type(error).__name__
        return NetworkError("connection-failed", f"{what} to {self.server}: {said}")


def is_success(response: httpx.Response) -> bool:
    """Did it do what was asked?"""
    return 200 <= response.status_code < 300


def to_heard(response: httpx.Response, content: bytes) -> Heard:
    """An answer as the steps see it."""
    return Heard(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)


def bytes_max_of(response: httpx.Response) -> int:
    """What may be read of it as a whole."""
    return ANSWER_BYTES_MAX if is_success(response) else PROBLEM_BYTES_MAX


def too_late(call: Call) -> DeadlineExceeded:
    """The caller's time is over."""
    return DeadlineExceeded("deadline-exceeded", f"{call.method} {call.path}: no answer in the time that it was given")


def too_large(bytes_max: int) -> EnvicutorError:
    """More came than is held."""
    return EnvicutorError("answer-too-large", f"the answer has more than {bytes_max} bytes")
