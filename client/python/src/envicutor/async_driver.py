"""
Owns carrying out steps for programs of asyncio: requests by httpx.AsyncClient. Never decides what is asked or asked again (exchange.py).
Invariants: what is open is closed when its steps end, whoever ended them; a task that is cancelled is told to the steps, which may still ask for a short
time, and then goes on being cancelled.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing
from typing import Any, Optional, TypeVar, Union

import httpx

from .connection import LIMITS, Connection, bytes_max_of, is_success, to_heard, too_large, too_late
from .errors import EnvicutorError
from .exchange import (
    Ask,
    Call,
    Close,
    Done,
    Emit,
    Heard,
    Open,
    Pause,
    Read,
    Source,
    Step,
    Steps,
    begin,
    fail,
    send,
)

Result = TypeVar("Result")


class AsyncDriver:
    """Carries steps out, one after the other, and holds up nobody meanwhile."""

    def __init__(self, connection: Connection, transport: Optional[httpx.AsyncBaseTransport]) -> None:
        self._connection = connection
        self._http = httpx.AsyncClient(transport=transport, limits=LIMITS, follow_redirects=False)

    async def close(self) -> None:
        """Ends all connections."""
        await self._http.aclose()

    async def run(self, steps: Steps[Result], listener: Optional[Callable[[Any], object]] = None) -> Result:
        """Carries them out to their end; `listener` hears what they emit, and is awaited if it can be."""
        async with _Exchange(self._http, self._connection) as exchange:
            step = begin(steps)
            while not isinstance(step, Done):
                if isinstance(step, Emit):
                    step = await _tell(steps, step, listener)
                else:
                    step = await exchange.advance(steps, step)
            result: Result = step.result
            return result

    async def iterate(self, steps: Steps[Any]) -> AsyncGenerator[Any, None]:
        """Carries them out as far as somebody asks for what they emit."""
        with closing(steps):
            async with _Exchange(self._http, self._connection) as exchange:
                step = begin(steps)
                while not isinstance(step, Done):
                    if isinstance(step, Emit):
                        yield step.item
                        step = send(steps, None)
                    else:
                        step = await exchange.advance(steps, step)


async def _tell(steps: Steps[Any], step: Emit, listener: Optional[Callable[[Any], object]]) -> Union[Step, Done]:
    try:
        heard = None if listener is None else listener(step.item)
        if inspect.isawaitable(heard):
            await heard
    except Exception:
        # It is the listener's own, and nothing that the steps could try again.
        steps.close()
        raise
    except BaseException as error:
        return fail(steps, error)
    return send(steps, None)


class _Exchange:
    """What is open meanwhile."""

    def __init__(self, http: httpx.AsyncClient, connection: Connection) -> None:
        self._http = http
        self._connection = connection
        self._open: Optional[tuple[Call, httpx.Response, AsyncGenerator[bytes, None]]] = None

    async def __aenter__(self) -> "_Exchange":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def advance(self, steps: Steps[Any], step: Step) -> Union[Step, Done]:
        """Carries out one step and gives the next."""
        try:
            came = await self._perform(step)
        except BaseException as error:
            return fail(steps, error)
        return send(steps, came)

    async def _perform(self, step: Step) -> Any:
        if isinstance(step, Ask):
            return await self._guard(step.call, self._ask)
        if isinstance(step, Open):
            await self._close()
            return await self._guard(step.call, self._begin)
        if isinstance(step, Read):
            return None if self._open is None else await self._guard(self._open[0], self._read)
        if isinstance(step, Pause):
            return await self._connection.clock.sleep_async(step.seconds)
        return await self._close() if isinstance(step, Close) else None

    async def _guard(self, call: Call, act: Callable[[Call], Coroutine[Any, Any, Result]]) -> Result:
        """Until its deadline, and with its failures by their names here."""
        left = self._connection.remaining(call)
        try:
            return await (act(call) if left is None else asyncio.wait_for(act(call), left))
        except EnvicutorError:
            raise
        except asyncio.TimeoutError as error:
            if left is None:
                raise
            raise too_late(call) from error
        except httpx.HTTPError as error:
            raise self._connection.to_failure(error, call) from error

    async def _send(self, call: Call, is_streamed: bool) -> httpx.Response:
        request = self._http.build_request(
            call.method,
            self._connection.url_of(call),
            headers=self._connection.headers_of(call, is_streamed),
            content=_to_content(call.content),
            timeout=self._connection.timeout_of(call),
        )
        return await self._http.send(request, stream=True)

    async def _ask(self, call: Call) -> Heard:
        response = await self._send(call, is_streamed=False)
        try:
            return to_heard(response, await _read_all(response))
        finally:
            await response.aclose()

    async def _begin(self, call: Call) -> Heard:
        response = await self._send(call, is_streamed=True)
        if is_success(response):
            self._open = (call, response, _pieces_of(response))
            return to_heard(response, b"")
        try:
            return to_heard(response, await _read_all(response))
        finally:
            await response.aclose()

    async def _read(self, _: Call) -> Optional[bytes]:
        assert self._open is not None  # noqa: S101
        try:
            return await self._open[2].__anext__()
        except StopAsyncIteration:
            return None

    async def _close(self) -> None:
        if self._open is not None:
            _, response, pieces = self._open
            self._open = None
            try:
                await pieces.aclose()
            finally:
                await response.aclose()


def _to_content(content: Union[bytes, Source, None]) -> Union[bytes, AsyncIterable[bytes], None]:
    if not isinstance(content, Source):
        return content
    opened = content.open()
    return opened if isinstance(opened, AsyncIterable) else _read_aside(opened)


async def _read_aside(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Reading may wait for a disk: another thread does."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


async def _pieces_of(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    async for piece in response.aiter_bytes():
        yield piece


async def _read_all(response: httpx.Response) -> bytes:
    bytes_max = bytes_max_of(response)
    pieces: list[bytes] = []
    count = 0
    async for piece in response.aiter_bytes():
        count += len(piece)
        if count > bytes_max:
            raise too_large(bytes_max)
        pieces.append(piece)
    return b"".join(pieces)
