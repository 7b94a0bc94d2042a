"""
Owns following an execution or a build over cut connections: where it was, what comes next, when it is over. Never reads ahead of whoever asks for the
next event. Invariants: each event comes once and in order; the last one is `finished`, and it is told even if the server has forgotten all others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Optional, TypeVar, Union, cast

from .answer_parts import Ending
from .answers import parse_json, to_answer
from .asking import Asker
from .errors import EnvicutorError
from .event_parser import EventParser, StreamedEvent
from .exchange import Call, Close, Emit, Read, Steps
from .models import (
    BuildFetchedEvent,
    BuildLogEvent,
    BuildPhaseEvent,
    BuildProgressEvent,
    BuildStateEvent,
    Environment,
    Execution,
    FetchProgressEvent,
    ForgottenEvent,
    OutputEvent,
    StageEvent,
    TestEvent,
)

_SILENCE_SECONDS_MAX = 40.0
"""A server sends something every 15 s; who says nothing for so long is cut off."""

Name = TypeVar("Name", bound=str)
Data = TypeVar("Data")
Followable = TypeVar("Followable", bound=Ending)


@dataclass(frozen=True)
class Event(Generic[Name, Data]):
    """Something that happened; a name that is not known to this release comes with its data as it is in JSON: pass it over."""

    type: Name
    """What happened (docs/events.md)."""
    id: str
    """To go on behind it: `events(after=…)`. Empty: it has none."""
    data: Data


ExecutionEvent = Union[
    Event[Literal["stage"], StageEvent],
    Event[Literal["build.phase"], BuildPhaseEvent],
    Event[Literal["build.log"], BuildLogEvent],
    Event[Literal["build.progress"], BuildProgressEvent],
    Event[Literal["build.fetched"], BuildFetchedEvent],
    Event[Literal["fetch.progress"], FetchProgressEvent],
    Event[Literal["stdout"], OutputEvent],
    Event[Literal["stderr"], OutputEvent],
    Event[Literal["test"], TestEvent],
    Event[Literal["forgotten"], ForgottenEvent],
    Event[Literal["finished"], Execution],
]
"""What happens to an execution."""

EnvironmentEvent = Union[
    Event[Literal["state"], BuildStateEvent],
    Event[Literal["build.phase"], BuildPhaseEvent],
    Event[Literal["build.log"], BuildLogEvent],
    Event[Literal["build.progress"], BuildProgressEvent],
    Event[Literal["build.fetched"], BuildFetchedEvent],
    Event[Literal["forgotten"], ForgottenEvent],
    Event[Literal["finished"], Environment],
]
"""What happens to an environment."""

_DATA: Mapping[str, type] = {
    "stage": StageEvent,
    "state": BuildStateEvent,
    "build.phase": BuildPhaseEvent,
    "build.log": BuildLogEvent,
    "build.progress": BuildProgressEvent,
    "build.fetched": BuildFetchedEvent,
    "fetch.progress": FetchProgressEvent,
    "stdout": OutputEvent,
    "stderr": OutputEvent,
    "test": TestEvent,
    "forgotten": ForgottenEvent,
}


class Following(Generic[Followable]):
    """What is followed, and how far."""

    def __init__(
        self,
        asker: Asker,
        kind: type[Followable],
        path: str,
        *,
        after: Optional[str] = None,
        deadline: Optional[float] = None,
    ) -> None:
        self._asker = asker
        self._kind = kind
        self._path = path
        self._deadline = deadline
        self._after = after or ""

    def events(self) -> Steps[Followable]:
        """Emits every event from the first, or after one, to `finished`; its answer."""
        return (yield from self._follow(is_aloud=True))

    def end(self) -> Steps[Followable]:
        """The answer of the last event."""
        return (yield from self._follow(is_aloud=False))

    def _follow(self, is_aloud: bool) -> Steps[Followable]:
        trouble = self._asker.trouble()
        is_first = True
        while True:
            # A server that stops in good order, or a proxy with a time of its own: the next one is not asked at once either.
            failure = EnvicutorError("connection-failed", f"GET {self._path}/events ended before the last event")
            try:
                # Who wants nothing but the end asks how it ended before coming back.
                if is_first or is_aloud:
                    ended = yield from self._read_round(is_aloud, trouble.end)
                else:
                    ended = yield from self._ask_end(is_aloud)
                    if ended is None:
                        ended = yield from self._read_round(is_aloud, trouble.end)
                if ended is not None:
                    return ended
            except EnvicutorError as error:
                failure = error
            yield Close()
            is_first = False
            yield from trouble.wait(failure, self._deadline)

    def _read_round(self, is_aloud: bool, went_well: Callable[[], None]) -> Steps[Optional[Followable]]:
        """What one connection tells; None when that is not the end."""
        headers = {"accept": "text/event-stream"}
        if self._after:
            headers["last-event-id"] = self._after
        call = Call(
            "GET",
            f"{self._path}/events",
            headers=headers,
            silence_seconds_max=_SILENCE_SECONDS_MAX,
            deadline=self._deadline,
        )
        heard = yield from self._asker.open(call)
        if heard.status == 204:
            # Nothing more will ever be told after that event: then the end was told, or forgotten.
            yield Close()
            return (yield from self._ask_end(is_aloud))
        if not heard.headers.get("content-type", "").startswith("text/event-stream"):
            raise EnvicutorError("answer-unexpected", "the answer is no stream of events", status=heard.status)
        parser = EventParser()
        while True:
            content: Optional[bytes] = yield Read()
            if content is None:
                return None
            for streamed in parser.take(content):
                is_last = streamed.name == "finished"
                data = self._read_data(streamed)
                # Told by a coordinator that has just started and not taken it up yet: nothing has ended.
                if is_last and not data.is_over:
                    return None
                went_well()
                if streamed.id:
                    self._after = streamed.id
                if is_last:
                    yield Close()
                if is_aloud:
                    yield Emit(Event(streamed.name, streamed.id, data))
                if is_last:
                    return cast(Followable, data)

    def _read_data(self, streamed: StreamedEvent) -> Any:
        value = parse_json(streamed.data)
        if streamed.name == "finished":
            return to_answer(self._kind, value)
        kind = _DATA.get(streamed.name)
        return value if kind is None else to_answer(kind, value)

    def _ask_end(self, is_aloud: bool) -> Steps[Optional[Followable]]:
        """The end, from the thing itself; None while it goes on."""
        data = yield from self._asker.ask(self._kind, Call("GET", self._path, deadline=self._deadline))
        if not data.is_over:
            return None
        if is_aloud:
            yield Emit(Event("finished", self._after, data))
        return data
