"""
Owns carrying out steps for programs that wait: requests by httpx.Client. Never decides what is asked or asked again (exchange.py).
Invariants: what is open is closed when its steps end, whoever ended them; a deadline ends what a read is waiting for.
"""

import socket
import threading
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import closing, suppress
from typing import Any, Optional, TypeVar, Union

import httpx

from .connection import LIMITS, Connection, bytes_max_of, is_success, to_heard, too_large
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


class SyncDriver:
    """Carries steps out, one after the other."""

    def __init__(self, connection: Connection, transport: Optional[httpx.BaseTransport]) -> None:
        self._connection = connection
        self._http = httpx.Client(transport=transport, limits=LIMITS, follow_redirects=False)

    def close(self) -> None:
        """Ends all connections."""
        self._http.close()

    def run(self, steps: Steps[Result], listener: Optional[Callable[[Any], object]] = None) -> Result:
        """Carries them out to their end; `listener` hears what they emit."""
        with _Exchange(self._http, self._connection) as exchange:
            step = begin(steps)
            while not isinstance(step, Done):
                step = _tell(steps, step, listener) if isinstance(step, Emit) else exchange.advance(steps, step)
            result: Result = step.result
            return result

    def iterate(self, steps: Steps[Any]) -> Iterator[Any]:
        """Carries them out as far as somebody asks for what they emit."""
        with _Exchange(self._http, self._connection) as exchange, closing(steps):
            step = begin(steps)
            while not isinstance(step, Done):
                if isinstance(step, Emit):
                    yield step.item
                    step = send(steps, None)
                else:
                    step = exchange.advance(steps, step)


def _tell(steps: Steps[Any], step: Emit, listener: Optional[Callable[[Any], object]]) -> Union[Step, Done]:
    try:
        if listener is not None:
            listener(step.item)
    except Exception:
        # It is the listener's own, and nothing that the steps could try again.
        steps.close()
        raise
    except BaseException as error:
        return fail(steps, error)
    return send(steps, None)


class _Exchange:
    """What is open meanwhile."""

    def __init__(self, http: httpx.Client, connection: Connection) -> None:
        self._http = http
        self._connection = connection
        self._open: Optional[tuple[Call, httpx.Response, Iterator[bytes]]] = None
        self._watch: Optional[threading.Timer] = None

    def __enter__(self) -> "_Exchange":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def advance(self, steps: Steps[Any], step: Step) -> Union[Step, Done]:
        """Carries out one step and gives the next."""
        try:
            came = self._perform(step)
        except BaseException as error:
            return fail(steps, error)
        return send(steps, came)

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Ask):
            return self._ask(step.call)
        if isinstance(step, Open):
            return self._begin(step.call)
        if isinstance(step, Read):
            return self._read()
        if isinstance(step, Pause):
            return self._connection.clock.sleep(step.seconds)
        return self._close() if isinstance(step, Close) else None

    def _send(self, call: Call, is_streamed: bool) -> httpx.Response:
        request = self._http.build_request(
            call.method,
            self._connection.url_of(call),
            headers=self._connection.headers_of(call, is_streamed),
            content=_to_content(call.content),
            timeout=self._connection.timeout_of(call),
        )
        return self._http.send(request, stream=True)

    def _ask(self, call: Call) -> Heard:
        try:
            response = self._send(call, is_streamed=False)
            watch: Optional[threading.Timer] = None
            try:
                watch = self._watch_over(call, response)
                return to_heard(response, _read_all(response))
            finally:
                _end_watch(watch)
                response.close()
        except httpx.HTTPError as error:
            raise self._connection.to_failure(error, call) from error

    def _begin(self, call: Call) -> Heard:
        self._close()
        try:
            response = self._send(call, is_streamed=True)
            if is_success(response):
                self._open = (call, response, response.iter_bytes())
                self._watch = self._watch_over(call, response)
                return to_heard(response, b"")
            try:
                return to_heard(response, _read_all(response))
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise self._connection.to_failure(error, call) from error

    def _read(self) -> Optional[bytes]:
        if self._open is None:
            return None
        call, _, pieces = self._open
        try:
            self._connection.remaining(call)
            return next(pieces, None)
        except httpx.HTTPError as error:
            raise self._connection.to_failure(error, call) from error

    def _close(self) -> None:
        _end_watch(self._watch)
        self._watch = None
        if self._open is not None:
            _, response, _ = self._open
            self._open = None
            response.close()

    def _watch_over(self, call: Call, response: httpx.Response) -> Optional[threading.Timer]:
        """A read may wait for longer than is left, if something came before: then its socket is shut at the deadline."""
        left = self._connection.remaining(call)
        stream = response.extensions.get("network_stream")
        if left is None or stream is None:
            return None
        watch = threading.Timer(left, _shut, [stream])
        watch.daemon = True
        watch.start()
        return watch


def _end_watch(watch: Optional[threading.Timer]) -> None:
    if watch is not None:
        watch.cancel()


def _shut(stream: Any) -> None:
    with suppress(OSError):
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _to_content(content: Union[bytes, Source, None]) -> Union[bytes, Iterator[bytes], None]:
    if not isinstance(content, Source):
        return content
    opened = content.open()
    if isinstance(opened, AsyncIterable):
        raise TypeError(
            "what comes by and by is sent by AsyncEnvicutor: give this client bytes, a Path, a file or an iterable"
        )
    return opened


def _read_all(response: httpx.Response) -> bytes:
    bytes_max = bytes_max_of(response)
    pieces: list[bytes] = []
    count = 0
    for piece in response.iter_bytes():
        count += len(piece)
        if count > bytes_max:
            raise too_large(bytes_max)
        pieces.append(piece)
    return b"".join(pieces)
