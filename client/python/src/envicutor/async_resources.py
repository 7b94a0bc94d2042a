"""
Owns what a program of asyncio does with one execution, with environments, files and webhooks. Never submits an execution (async_client).
Invariant: nothing here decides anything: each is one operation (operations.py), carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import TYPE_CHECKING, Optional, Union

from .async_driver import AsyncDriver
from .following import EnvironmentEvent, ExecutionEvent
from .models import Base, Delivery, Environment, Execution, Placement, StoredFile, TerminalTicket, WebhookSecret
from .operations import Operations
from .recipes import Recipe
from .request_body import to_environment_body
from .requests import EnvironmentRequest
from .transfers import Uploadable, to_sent

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AsyncExecutionHandle:
    """An execution at the server, known by its id alone: another program, or this one after a restart, can go on with it."""

    id: str

    def __init__(self, driver: AsyncDriver, operations: Operations, id: str) -> None:
        self._driver = driver
        self._operations = operations
        self.id = id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    async def show(self) -> Execution:
        """How it is now."""
        return await self._driver.run(self._operations.show(self.id))

    async def result(self, *, timeout_seconds: Optional[float] = None) -> Execution:
        """Its end, however that is. Raises DeadlineExceeded after `timeout_seconds`; the execution goes on."""
        return await self._driver.run(self._operations.result(self.id, timeout_seconds))

    def events(self, *, after: Optional[str] = None) -> AsyncGenerator[ExecutionEvent, None]:
        """What happens, from the beginning on as far as it is remembered, to `finished`; `after`: behind the event of this id.

        The next event is read when it is asked for; a connection that breaks is gone on with behind the last event that came.
        """
        return self._driver.iterate(self._operations.events(self.id, after))

    async def cancel(self) -> Execution:
        """Cancels it; again is no mistake, and what is over stays as it is."""
        return await self._driver.run(self._operations.cancel(self.id))

    async def purge(self) -> None:
        """Cancels it if it is not over, and has all of it forgotten: record, request, output, what it left."""
        await self._driver.run(self._operations.purge(self.id))

    async def placement(self) -> Placement:
        """Why it runs where it does, or still waits."""
        return await self._driver.run(self._operations.placement(self.id))

    async def terminal_ticket(self) -> TerminalTicket:
        """A ticket for one attachment to the terminal of an interactive one, by WebSocket (docs/terminal.md)."""
        return await self._driver.run(self._operations.terminal_ticket(self.id))


class AsyncEnvironments:
    """The environments of a tenant."""

    def __init__(self, driver: AsyncDriver, operations: Operations) -> None:
        self._driver = driver
        self._operations = operations

    async def ensure(
        self,
        *,
        timeout_seconds: Optional[float] = None,
        on_event: Optional[Callable[[EnvironmentEvent], object]] = None,
        **description: Unpack[EnvironmentRequest],
    ) -> Environment:
        """Has it built, if nobody has, and waits until its `state` is `ready` or `failed`.

        The same description is the same environment, so that asking again changes nothing. `on_event` hears every event, and is awaited if it can be.
        Raises DeadlineExceeded after `timeout_seconds`; the build goes on.
        """
        body = await asyncio.to_thread(to_environment_body, description)
        steps = self._operations.ensure(body, timeout_seconds, is_aloud=on_event is not None)
        return await self._driver.run(steps, on_event)

    async def declare(self, **description: Unpack[EnvironmentRequest]) -> Environment:
        """Has it built, if nobody has; how it is now."""
        body = await asyncio.to_thread(to_environment_body, description)
        return await self._driver.run(self._operations.declare(body))

    async def show(self, id: str) -> Environment:
        """How it is now."""
        return await self._driver.run(self._operations.show_environment(id))

    def log(self, id: str) -> AsyncGenerator[str, None]:
        """What its build says, in pieces of any length as they come, to its end."""
        return self._driver.iterate(self._operations.log(id))

    def events(self, id: str, *, after: Optional[str] = None) -> AsyncGenerator[EnvironmentEvent, None]:
        """What happens while it is built, to `finished`; `after`: behind the event of this id."""
        return self._driver.iterate(self._operations.environment_events(id, after))

    def list(self) -> AsyncGenerator[Environment, None]:
        """All of the tenant's, newest first; a page is fetched when it is needed."""
        return self._driver.iterate(self._operations.environments())

    async def bases(self) -> tuple[Base, ...]:
        """What can be built upon."""
        return await self._driver.run(self._operations.bases())


class AsyncRecipes:
    """The environments that the server keeps ready."""

    def __init__(self, driver: AsyncDriver, operations: Operations) -> None:
        self._driver = driver
        self._operations = operations

    async def list(self) -> tuple[Recipe, ...]:
        """All of them, by name."""
        return await self._driver.run(self._operations.recipes())

    async def get(self, name: str) -> Recipe:
        """One, by its name or another name of it; `recipe-not-found` when there is none."""
        return await self._driver.run(self._operations.recipe(name))


class AsyncFiles:
    """The files of a tenant: sent once and named by many executions, or left by one."""

    def __init__(self, driver: AsyncDriver, operations: Operations) -> None:
        self._driver = driver
        self._operations = operations

    async def upload(self, content: Union[Uploadable, AsyncIterable[bytes]]) -> StoredFile:
        """Sends text, bytes, a file of this machine (Path), an open one, or an iterable of bytes.

        The same bytes are the same file. What can be read only once is sent only once: `stream-consumed` if the connection breaks.
        """
        return await self._driver.run(self._operations.upload(to_sent(content)))

    async def download(self, id: str) -> bytes:
        """All bytes of a file."""
        return b"".join([piece async for piece in self.stream(id)])

    def stream(self, id: str) -> AsyncGenerator[bytes, None]:
        """The same as they come, for what is large; a connection that breaks within them goes on where it was."""
        return self._driver.iterate(self._operations.pieces(id))

    async def delete(self, id: str) -> None:
        """Has a file forgotten."""
        await self._driver.run(self._operations.delete_file(id))

    def list(self) -> AsyncGenerator[StoredFile, None]:
        """All of the tenant's, newest first; a page is fetched when it is needed."""
        return self._driver.iterate(self._operations.files())


class AsyncWebhooks:
    """What a tenant sees of its webhooks; a receiver checks them by `verify_webhook`."""

    def __init__(self, driver: AsyncDriver, operations: Operations) -> None:
        self._driver = driver
        self._operations = operations

    async def secret(self) -> WebhookSecret:
        """What receivers check signatures with."""
        return await self._driver.run(self._operations.webhook_secret())

    async def rotate_secret(self) -> WebhookSecret:
        """Another secret; the one before signs as well for a while. Never tried again by itself."""
        return await self._driver.run(self._operations.rotate_webhook_secret())

    def deliveries(self, *, execution: Optional[str] = None) -> AsyncGenerator[Delivery, None]:
        """Newest first, of all or of one execution."""
        return self._driver.iterate(self._operations.deliveries(execution))

    async def delivery(self, id: str) -> Delivery:
        """One of them."""
        return await self._driver.run(self._operations.delivery(id))

    async def replay(self, id: str) -> Delivery:
        """Sends one again, with a schedule of a new day. Never tried again by itself."""
        return await self._driver.run(self._operations.replay(id))
