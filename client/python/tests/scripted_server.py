"""
Owns a server for tests of what does no input or output: a transport that answers as the test says, under a clock that waiting moves.
Never answers what was not scripted, and never waits.
"""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Callable, Optional, Union

import httpx

import envicutor
from doors import Door

Answering = Union[httpx.Response, BaseException, Callable[[httpx.Request], httpx.Response]]


class StillClock(envicutor.Clock):
    """Time that passes only when somebody waits; chance that is always the same."""

    def __init__(self, chance: float = 0.0) -> None:
        self.at = 1000.0
        self.waits: list[float] = []
        self._chance = chance

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return 1_700_000_000.0 + self.at

    def random(self) -> float:
        return self._chance

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces, and may break."""

    def __init__(self, pieces: Sequence[Union[bytes, BaseException]]) -> None:
        self._pieces = pieces
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


class ScriptedServer:
    """See the head of this file."""

    def __init__(self, door: Door, chance: float = 0.0) -> None:
        self.clock = StillClock(chance)
        self.answers: list[Answering] = []
        self.heard: list[httpx.Request] = []
        self._door = door

    def client(self, **options: Any) -> Any:
        return self._door.open(transport=httpx.MockTransport(self._answer), clock=self.clock, **options)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(request)
        assert self.answers, f"nothing is scripted for {request.method} {request.url}"
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    @property
    def said(self) -> list[str]:
        return [f"{each.method} {each.url.raw_path.decode()}" for each in self.heard]

    @property
    def keys(self) -> list[Optional[str]]:
        return [each.headers.get("idempotency-key") for each in self.heard]


def problem(status: int, code: str, headers: Optional[dict[str, str]] = None, **more: Any) -> httpx.Response:
    body = {"type": f"urn:envicutor:problem:{code}", "title": code, "status": status, "code": code}
    told = {**body, "detail": f"it is {code}", "errors": [], "requestId": "req_1", **more}
    return httpx.Response(status, headers={"content-type": "application/problem+json", **(headers or {})}, json=told)


def report(stdout: str = "hello\n", **changes: Any) -> dict[str, Any]:
    times = ("cpuTimeMs", "cpuUserMs", "cpuSystemMs", "wallTimeMs", "throttledMs")
    counts = ("memoryPeakBytes", "processesPeak", "outputBytes", "diskBytes", "oomKills")
    usage = dict.fromkeys((*times, *counts, "voluntarySwitches", "involuntarySwitches"), 1)
    streams = {"stdout": stdout, "stdoutEncoding": "utf8", "stdoutTruncated": False}
    errors = {"stderr": "", "stderrEncoding": "utf8", "stderrTruncated": False}
    ends = {"exceeded": None, "start": None, "usage": usage, "startedAt": None, "endedAt": "2026-11-28T12:00:00Z"}
    return {"verdict": "ok", "exitCode": 0, "signal": None, **streams, **errors, **ends, "slot": 0, **changes}


def execution(is_over: bool = True, id: str = "exec_1", **changes: Any) -> dict[str, Any]:
    timing = dict.fromkeys(("queuedMs", "buildMs", "fetchMs", "prepareMs", "executeMs", "collectMs", "overheadMs"), 0.5)
    scripts = {"setup": None, "dependencies": None, "verify": None, "compile": None}
    none = {"check": None, "score": None, "certificate": None, "receipt": None, "agent": None, "failure": None}
    return {
        "id": id,
        "stage": "finished" if is_over else "running",
        "verdict": "ok" if is_over else None,
        "endedIn": "run" if is_over else None,
        "environment": None,
        **scripts,
        **none,
        "run": report() if is_over else None,
        "tests": [],
        "timing": timing,
        "files": [],
        "attempts": 1,
        "metadata": {},
        "createdAt": "2026-11-28T12:00:00Z",
        "finishedAt": "2026-11-28T12:00:01Z" if is_over else None,
        **changes,
    }


def answer(body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def event(name: str, data: Any, id: Union[int, str, None] = None) -> bytes:
    mark = "" if id is None else f"id: {id}\n"
    return f"{mark}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def stream(*pieces: Union[bytes, BaseException]) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces(pieces))
