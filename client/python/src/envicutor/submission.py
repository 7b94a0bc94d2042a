"""
Owns getting requests to the server exactly once: the key that makes a repeated one the same, what is asked again, what is cancelled when nobody wants it.
Never follows what was accepted: that is following. Invariant: one call is one execution, however often the connection breaks.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional, TypeVar

from .answers import parse_json
from .asking import Asker, path_of, to_content
from .errors import DeadlineExceeded, EnvicutorError
from .exchange import ANSWER_SECONDS_MAX, Call, Steps
from .following import Following
from .models import Execution

Result = TypeVar("Result")

_WAIT_SECONDS = 25
"""One connection waits for a result so long; then it goes on with events. Below what proxies allow."""
_CANCEL_SECONDS_MAX = 5.0
"""What nobody wants any more is cancelled within this time, or left."""
_REFUSED_AFTERWARDS = ("no-agent", "quota-exceeded")
"""The request was accepted and is over: it could not begin in time, or not under this day's quota. The key stands for that answer for ever."""


@dataclass(frozen=True)
class Sending:
    """How a request is sent."""

    idempotency_key: Optional[str] = None
    deadline: Optional[float] = None


def create_idempotency_key() -> str:
    """A key that nobody else has."""
    return secrets.token_hex(16)


def _is_refused_afterwards(error: BaseException) -> bool:
    return isinstance(error, EnvicutorError) and error.code in _REFUSED_AFTERWARDS


def _is_unwanted(error: BaseException) -> bool:
    """Does nobody want it any more: its time is over, its task was cancelled, the program was interrupted?"""
    return isinstance(error, DeadlineExceeded) or not isinstance(error, Exception)


class Submission:
    """One request, or many, on the way to the server."""

    def __init__(self, asker: Asker, sending: Sending) -> None:
        self._asker = asker
        self._sending = sending

    def run(self, request: Mapping[str, Any], *, is_aloud: bool) -> Steps[Execution]:
        """Runs it once; its end. Emits every event if that is asked for."""
        # A terminal is attached to, not waited for.
        is_waited = not is_aloud and request.get("interactive") is not True
        answered = yield from self._submit(request, is_waited)
        if answered.is_over and not is_aloud:
            return answered
        following = Following(
            self._asker, Execution, path_of("executions", answered.id), deadline=self._sending.deadline
        )
        try:
            return _check_begun((yield from (following.events() if is_aloud else following.end())))
        except GeneratorExit:
            raise
        except BaseException as error:
            if _is_unwanted(error):
                yield from self._cancel_soon(lambda until: self._cancel(answered.id, until))
            raise

    def submit(self, request: Mapping[str, Any]) -> Steps[Execution]:
        """Has it accepted, and not waited for."""
        return (yield from self._submit(request, is_waited=False))

    def submit_all(self, requests: Sequence[Mapping[str, Any]]) -> Steps[list[str]]:
        """Has many accepted by one request, all or none; their ids in the same order."""
        key = self._sending.idempotency_key or create_idempotency_key()
        call = Call(
            "POST",
            path_of("executions", "batch"),
            headers={"idempotency-key": key},
            content=to_content({"executions": list(requests)}),
            deadline=self._sending.deadline,
            is_repeated=lambda _: True,
        )
        heard = yield from self._asker.insist(call)
        answer = parse_json(heard.content)
        try:
            return [str(each["id"]) for each in answer["executions"]]
        except (KeyError, TypeError) as error:
            raise EnvicutorError("answer-malformed", "what came is no answer to a batch") from error

    def _submit(self, request: Mapping[str, Any], is_waited: bool) -> Steps[Execution]:
        """With another key after what was refused for good under one."""
        content = to_content(request)
        trouble = self._asker.trouble()
        while True:
            key = self._sending.idempotency_key or create_idempotency_key()
            call = Call(
                "POST",
                path_of("executions"),
                headers={"idempotency-key": key},
                content=content,
                deadline=self._sending.deadline,
                is_repeated=lambda error: not _is_refused_afterwards(error),
            )
            try:
                return (yield from self._send(call, is_waited))
            except EnvicutorError as error:
                if not _is_refused_afterwards(error) or self._sending.idempotency_key is not None:
                    raise
                failure = error
            yield from trouble.wait(failure, self._sending.deadline)

    def _send(self, call: Call, is_waited: bool) -> Steps[Execution]:
        try:
            return (yield from (self._send_and_wait(call) if is_waited else self._asker.ask(Execution, call)))
        except GeneratorExit:
            raise
        except BaseException as error:
            if _is_unwanted(error):
                yield from self._cancel_soon(lambda until: self._cancel_asked(call, until))
            raise

    def _send_and_wait(self, call: Call) -> Steps[Execution]:
        silence = _WAIT_SECONDS + ANSWER_SECONDS_MAX
        waiting = replace(call, query={"wait": _WAIT_SECONDS}, silence_seconds_max=silence)
        try:
            return (yield from self._asker.ask(Execution, waiting))
        except EnvicutorError as error:
            # An operator may allow less; then nobody waits.
            if not any(place.pointer == "?wait" for place in error.errors):
                raise
        return (yield from self._asker.ask(Execution, call))

    def _cancel_asked(self, call: Call, until: float) -> Steps[Execution]:
        """Asked with the same key, the server says which one it is, whether its answer came or not."""
        asked = yield from self._asker.ask(Execution, replace(call, deadline=until))
        return (yield from self._cancel(asked.id, until))

    def _cancel(self, id: str, until: float) -> Steps[Execution]:
        return (yield from cancel(self._asker, id, until))

    def _cancel_soon(self, action: Callable[[float], Steps[Result]]) -> Steps[None]:
        """Does what may fail, for a short time."""
        try:
            yield from action(self._asker.clock.monotonic() + _CANCEL_SECONDS_MAX)
        except EnvicutorError:
            # Whoever gave it up hears why; that it may go on at the server is all that can be said besides.
            return


def cancel(asker: Asker, id: str, deadline: Optional[float] = None) -> Steps[Execution]:
    """Cancels it; how it is then."""
    return (yield from asker.ask(Execution, Call("DELETE", path_of("executions", id), deadline=deadline)))


def _check_begun(execution: Execution) -> Execution:
    """Was it refused after it had been accepted? Then it is told as it is where one waits: by an error."""
    failure = execution.failure
    if execution.is_over and failure is not None and failure.code in _REFUSED_AFTERWARDS:
        raise EnvicutorError(failure.code, failure.detail)
    return execution


def result(asker: Asker, id: str, deadline: Optional[float]) -> Steps[Execution]:
    """Its end, however that is; a deadline ends the waiting, not the execution."""
    return (yield from Following(asker, Execution, path_of("executions", id), deadline=deadline).end())
