"""
Owns how one test asks through both front doors: whatever `AsyncEnvicutor` has is driven by a loop of the test's own and looks as `Envicutor` does.
Never changes what is asked. Invariant: what a door opened is closed with the test.
"""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any, Callable

import envicutor


class Driven:
    """Something of the async door, as a program that waits would have it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any) -> None:
        self._loop = loop
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if callable(value):
            return lambda *words, **named: self._wrap(value(*words, **named))
        return self._wrap(value)

    def _wrap(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            return self._wrap(self._loop.run_until_complete(value))
        if inspect.isasyncgen(value):
            return self._iterate(value)
        if isinstance(value, list):
            return [self._wrap(item) for item in value]
        return Driven(self._loop, value) if type(value).__name__.startswith("Async") else value

    def _iterate(self, generator: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    item = self._loop.run_until_complete(generator.__anext__())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._loop.run_until_complete(generator.aclose())


class Door:
    """One of the two, and what was opened by it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._loop = asyncio.new_event_loop()
        self._endings: list[Callable[[], object]] = []

    @property
    def is_async(self) -> bool:
        return self.kind == "async"

    def open(self, url: str = "http://server.test", **options: Any) -> Any:
        if not self.is_async:
            client = envicutor.Envicutor(url, **options)
            self._endings.append(client.close)
            return client
        driven = Driven(self._loop, envicutor.AsyncEnvicutor(url, **options))
        self._endings.append(driven.aclose)
        return driven

    def close(self) -> None:
        for end in self._endings:
            end()
        # As asyncio.run does.
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
