"""
Owns what tests are given: both front doors, a scripted server, and a running one with whatever can be done to it from outside.
Never starts a server: test/integration/python-client.test.ts of the repository does, and says where it is by variables of the environment.
Invariant: without a running server its tests are skipped, with a reason.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from doors import Door
from envicutor import Retries
from scripted_server import ScriptedServer

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(params=["sync", "async"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    opened = Door(request.param)
    yield opened
    opened.close()


@pytest.fixture
def scripted(door: Door) -> ScriptedServer:
    return ScriptedServer(door)


class RunningServer:
    """A server of the repository's own."""

    def __init__(self, url: str, variables: "os._Environ[str]") -> None:
        self.url = url
        self.relay_url = variables["ENVICUTOR_TEST_RELAY_URL"]
        self.keyed_url = variables["ENVICUTOR_TEST_KEYED_URL"]
        self.key = variables["ENVICUTOR_TEST_KEY"]
        self._control = variables["ENVICUTOR_TEST_CONTROL_URL"]
        self.retries = Retries(delay_seconds_min=0.05, delay_seconds_max=0.5)

    def cut(self) -> None:
        """Breaks every connection of the relay, without a word."""
        self._tell("cut")

    def restart(self) -> None:
        """Stops the coordinator and starts it again; returns when it is up."""
        self._tell("restart")

    def signing_key_ids(self) -> list[str]:
        """What an operator would tell of it."""
        ids: list[str] = self._tell("signing-keys").json()
        return ids

    def _tell(self, what: str) -> httpx.Response:
        return httpx.post(f"{self._control}/{what}", timeout=60).raise_for_status()


@pytest.fixture(scope="session")
def server() -> RunningServer:
    url = os.environ.get("ENVICUTOR_TEST_URL")
    if url is None:
        pytest.skip("no server is running: test/integration/python-client.test.ts starts one and these tests")
    return RunningServer(url, os.environ)


@pytest.fixture
def client(server: RunningServer, door: Door) -> Any:
    return door.open(server.url, retries=server.retries)


@pytest.fixture
def far(server: RunningServer, door: Door) -> Any:
    """A client behind a cable that can be cut."""
    return door.open(server.relay_url, retries=server.retries)


@pytest.fixture(scope="session")
def vectors() -> Path:
    return REPOSITORY / "test" / "vectors"
