"""
Owns `Envicutor`: the client of one server and one key for programs that wait. Never knows how a request travels (sync_driver), nor what an operation
consists of (operations.py). Invariant: nothing is opened before something is asked for, and nothing stays open after `close`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Optional

import httpx

from .asking import Asker
from .clock import Clock
from .connection import Connection, to_server
from .following import ExecutionEvent
from .models import Envelope, Execution, TenantUsage
from .operations import Operations
from .request_body import to_body
from .requests import ExecutionRequest
from .retries import Retries
from .sync_driver import SyncDriver
from .sync_resources import Environments, ExecutionHandle, Files, Recipes, Webhooks

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Envicutor:
    """A tenant's client.

    A program that fails is an answer, with its verdict; an EnvicutorError is raised for what could not be asked or begun. Broken connections, full queues
    and restarts of the server are borne as `retries` says.
    """

    environments: Environments
    """Built before they are needed, followed, listed."""
    recipes: Recipes
    """Environments that the server keeps ready, with scripts that compile and run a source."""
    files: Files
    """Sent once and named by many executions, or left by one."""
    webhooks: Webhooks
    """Deliveries, and the secret that they are signed with."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:7070",
        *,
        key: Optional[str] = None,
        retries: Optional[Retries] = None,
        transport: Optional[httpx.BaseTransport] = None,
        clock: Optional[Clock] = None,
    ) -> None:
        """Opens nothing yet.

        `url` is where the server is, with whatever path a proxy puts before `/v1`; `key` that of a tenant, without one for a server on this machine that
        needs none. `transport` is httpx's, for certificates and proxies of one's own; `clock` is for tests.
        """
        clock = clock or Clock()
        self._operations = Operations(Asker(retries or Retries(), clock))
        self._driver = SyncDriver(Connection(to_server(url), key, clock), transport)
        self.environments = Environments(self._driver, self._operations)
        self.recipes = Recipes(self._driver, self._operations)
        self.files = Files(self._driver, self._operations)
        self.webhooks = Webhooks(self._driver, self._operations)

    def __enter__(self) -> Envicutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all connections; it cancels nothing at the server."""
        self._driver.close()

    def run(
        self,
        *,
        idempotency_key: Optional[str] = None,
        timeout_seconds: Optional[float] = None,
        on_event: Optional[Callable[[ExecutionEvent], object]] = None,
        **request: Unpack[ExecutionRequest],
    ) -> Execution:
        """Runs it once, and gives its end.

        Arguments are the members of ExecutionRequest: `run="python3 main.py"`, `files={"main.py": "…"}`, `environment={"setup": "…"}`, `stdin=…`,
        `limits={"cpu_time_ms": 1000}`, `compile=…`, `tests=[…]` and so on; times are in milliseconds and sizes in bytes, as their names say.

        The same `idempotency_key` and request are the same execution, also from another program; by default each call has a key of its own, so that one
        call is one execution however often the connection breaks. After `timeout_seconds` the execution is cancelled at the server and DeadlineExceeded is
        raised; an interrupt (Ctrl-C) cancels it, too. `on_event` hears every event in order, the next one after it has returned.
        """
        steps = self._operations.run(to_body(request), idempotency_key, timeout_seconds, is_aloud=on_event is not None)
        return self._driver.run(steps, on_event)

    def submit(self, *, idempotency_key: Optional[str] = None, **request: Unpack[ExecutionRequest]) -> ExecutionHandle:
        """Has it accepted, with the arguments of `run`; it goes on by itself, whatever becomes of this program."""
        execution = self._driver.run(self._operations.submit(to_body(request), idempotency_key))
        return self.execution(execution.id)

    def batch(
        self, requests: Sequence[ExecutionRequest], *, idempotency_key: Optional[str] = None
    ) -> list[ExecutionHandle]:
        """Has up to 1,000 accepted by one request, all or none; handles in the same order."""
        bodies = [to_body(request) for request in requests]
        return [self.execution(id) for id in self._driver.run(self._operations.batch(bodies, idempotency_key))]

    def execution(self, id: str) -> ExecutionHandle:
        """What was accepted before, by whomever of this tenant. Asks nothing."""
        return ExecutionHandle(self._driver, self._operations, id)

    def executions(self) -> Iterator[Execution]:
        """The tenant's executions, newest first; a page is fetched when it is needed."""
        return self._driver.iterate(self._operations.executions())

    def usage(self, *, days: Optional[int] = None) -> TenantUsage:
        """What the tenant uses and may, and what it used in the last days (1 to 400, default 30)."""
        return self._driver.run(self._operations.usage(days))

    def agent_keys(self) -> Envelope:
        """The signed list of agents' keys that receipts are checked with (`envicutor.receipts`)."""
        return self._driver.run(self._operations.agent_keys())
