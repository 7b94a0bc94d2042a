"""
Owns the steps that everything this client does is made of. What it does is written once, as generators of steps that do no input or output;
a driver (sync_driver, async_driver) carries each step out and sends back what came of it.
Never carries one out. Invariants: of one generator's answers at most one is open, and its driver closes that, whatever ends the generator;
what a step fails with is raised where it was yielded.
"""

from collections.abc import AsyncIterable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Optional, TypeVar, Union

from .errors import EnvicutorError

ANSWER_SECONDS_MAX = 30.0
"""How long an answer may take that nobody has to wait for."""


@dataclass(frozen=True)
class Source:
    """Bytes that are sent as they are read."""

    open: Callable[[], Union[Iterator[bytes], AsyncIterable[bytes]]]
    is_repeatable: bool
    """Can it be opened again?"""


@dataclass(frozen=True)
class Call:
    """One request."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """From the server's root, with a slash."""
    query: Mapping[str, Union[str, int, None]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Union[bytes, Source, None] = None
    content_type: str = "application/json"
    silence_seconds_max: float = ANSWER_SECONDS_MAX
    """How long the server may be silent."""
    deadline: Optional[float] = None
    """When nobody wants it any more; seconds of the monotonic clock."""
    is_repeated: Optional[Callable[[EnvicutorError], bool]] = None
    """What may be asked again although its code says so; None: everything but POST."""


@dataclass(frozen=True)
class Heard:
    """What a server answered; of one that is read as it comes, and well, without its content."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    content: bytes = b""

    @property
    def is_success(self) -> bool:
        """Did it do what was asked?"""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Ask:
    """Send the call and read the whole answer: a Heard is sent back."""

    call: Call


@dataclass(frozen=True)
class Open:
    """Send the call, and hold its answer open for reading if it is one of success: a Heard is sent back."""

    call: Call


@dataclass(frozen=True)
class Read:
    """The next bytes of what is open, None after the last."""


@dataclass(frozen=True)
class Close:
    """Let go of what is open."""


@dataclass(frozen=True)
class Pause:
    """Let so many seconds pass."""

    seconds: float


@dataclass(frozen=True)
class Emit:
    """Hand this to whoever listens."""

    item: Any


Step = Union[Ask, Open, Read, Close, Pause, Emit]
Result = TypeVar("Result")
Steps = Generator[Step, Any, Result]
"""Something that is done in steps, and what comes of it."""


@dataclass(frozen=True)
class Done:
    """There is no further step: this came of them."""

    result: Any


def begin(steps: Steps[Any]) -> Union[Step, Done]:
    """The first step."""
    return _move(lambda: next(steps))


def send(steps: Steps[Any], came: object) -> Union[Step, Done]:
    """The next step, after this came of the one before."""
    return _move(lambda: steps.send(came))


def fail(steps: Steps[Any], error: BaseException) -> Union[Step, Done]:
    """The next step, after the one before failed with this; raises what the steps make of it."""
    return _move(lambda: steps.throw(error))


def _move(move: Callable[[], Step]) -> Union[Step, Done]:
    try:
        return move()
    except StopIteration as end:
        return Done(end.value)
