"""
Owns asking the server: what is asked again, what an answer must be, pages of listings. Never knows what an execution is.
Invariant: what can't be asked twice without being done twice is asked once.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional, TypeVar, Union
from urllib.parse import quote

from .answers import parse_json, to_answer
from .clock import Clock
from .errors import EnvicutorError, to_answer_error
from .exchange import Ask, Call, Emit, Heard, Open, Steps
from .retries import Retries, Trouble

Answer = TypeVar("Answer")


def path_of(*parts: str) -> str:
    """A path of the API's; what stands in it is data."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def to_content(body: object) -> bytes:
    """A JSON body."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class Asker:
    """Asks one server as one tenant, in steps."""

    def __init__(self, retries: Retries, clock: Clock) -> None:
        self._retries = retries
        self.clock = clock

    def trouble(self) -> Trouble:
        """A row of failures of something that is made of several requests."""
        return Trouble(self._retries, self.clock)

    def deadline_in(self, seconds: Optional[float]) -> Optional[float]:
        """The moment in so many seconds; None: never."""
        return None if seconds is None else self.clock.monotonic() + seconds

    def ask(self, kind: type[Answer], call: Call) -> Steps[Answer]:
        """Asks, and asks again while that may help; the answer as its class."""
        heard = yield from self.insist(call)
        return to_answer(kind, parse_json(heard.content))

    def insist(self, call: Call) -> Steps[Heard]:
        """The same; the answer as it came."""
        trouble = self.trouble()
        while True:
            try:
                return (yield from self._once(Ask(call)))
            except EnvicutorError as error:
                is_repeated = call.method != "POST" if call.is_repeated is None else call.is_repeated(error)
                if not is_repeated:
                    raise
                failure = error
            yield from trouble.wait(failure, call.deadline)

    def open(self, call: Call) -> Steps[Heard]:
        """Asks once; the answer stays open."""
        return (yield from self._once(Open(call)))

    def _once(self, step: Union[Ask, Open]) -> Steps[Heard]:
        heard: Heard = yield step
        if heard.is_success:
            return heard
        raise to_answer_error(heard.status, heard.headers, heard.content, self.clock.now())

    def remove(self, call: Call) -> Steps[None]:
        """Has something removed; that it is not there any more is what was asked for, if it was asked before."""
        failures = 0

        def is_repeated(_: EnvicutorError) -> bool:
            nonlocal failures
            failures += 1
            return True

        try:
            yield from self.insist(replace(call, is_repeated=is_repeated))
        except EnvicutorError as error:
            if error.status != 404 or failures <= 1:
                raise

    def walk(
        self, kind: type[Answer], path: str, page_size: int, query: Optional[Mapping[str, Optional[str]]] = None
    ) -> Steps[None]:
        """Emits everything of a listing, newest first; a page is fetched when it is needed."""
        cursor: Optional[str] = None
        while True:
            heard = yield from self.insist(Call("GET", path, {**(query or {}), "limit": page_size, "cursor": cursor}))
            page: Any = parse_json(heard.content)
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise EnvicutorError("answer-malformed", f"what came of GET {path} is no page of a listing")
            for item in page["items"]:
                yield Emit(to_answer(kind, item))
            cursor = page.get("next")
            if cursor is None:
                return
