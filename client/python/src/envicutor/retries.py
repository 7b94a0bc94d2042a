"""
Owns when something is tried again: after how long, and until when. Never decides whether it may be: whoever asks knows whether it can happen twice.
Invariants: a server that says when is not asked before; no wait goes beyond the budget or the deadline, so that what can't succeed in time fails at once.
"""

from dataclasses import dataclass
from typing import Optional

from .clock import Clock
from .errors import DeadlineExceeded, EnvicutorError
from .exchange import Pause, Steps

_LATER_SHARE = 0.1
"""So much of a wait that the server asks for is added by chance, at most so many seconds: not all come back at once."""
_LATER_SECONDS_MAX = 2.0


@dataclass(frozen=True)
class Retries:
    """How trouble is borne."""

    budget_seconds: float = 120.0
    """How long trouble may last, from its first error to the last attempt; 0: nothing is tried again."""
    delay_seconds_min: float = 0.25
    """The first wait, which doubles; each is between half of it and the whole."""
    delay_seconds_max: float = 10.0
    """The longest wait, but for one that the server asks for."""


class Trouble:
    """One row of failures, from the first to a success."""

    def __init__(self, policy: Retries, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._since: Optional[float] = None
        self._failures = 0

    def end(self) -> None:
        """Something went well: the next failure is the first."""
        self._since = None
        self._failures = 0

    def wait(self, error: EnvicutorError, deadline: Optional[float]) -> Steps[None]:
        """Waits for the next attempt; raises the error when it is not to be tried again."""
        if not error.is_retryable:
            raise error
        now = self._clock.monotonic()
        since = now if self._since is None else self._since
        delay = self._delay(error.retry_after_seconds)
        if now + delay > since + self._policy.budget_seconds:
            raise error
        if deadline is not None and now + delay >= deadline:
            raise DeadlineExceeded("deadline-exceeded", f"no time is left to try again after {error}") from error
        self._since = since
        self._failures += 1
        yield Pause(delay)

    def _delay(self, asked: Optional[float]) -> float:
        full = min(self._policy.delay_seconds_max, self._policy.delay_seconds_min * 2.0 ** min(self._failures, 30))
        delay = full * (1 - self._clock.random() / 2)
        if asked is None:
            return delay
        return max(delay, asked + min(_LATER_SECONDS_MAX, asked * _LATER_SHARE) * self._clock.random())
