"""
Owns everything that a tenant can do over the API, each in steps: what both front doors (sync_client, async_client) do, written once.
Never carries a step out, and never reads a file or a clock of its own. Invariant: ids in paths are data, whatever is in them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, TypeVar, Union

from .answers import parse_json, to_answer
from .asking import Asker, path_of, to_content
from .errors import EnvicutorError
from .exchange import Call, Emit, Source, Steps
from .following import Following
from .models import (
    Base,
    Delivery,
    Envelope,
    Environment,
    Execution,
    Placement,
    StoredFile,
    TenantUsage,
    TerminalTicket,
    WebhookSecret,
)
from .recipes import Recipe
from .submission import Sending, Submission, cancel, result
from .transfers import download, upload

Thing = TypeVar("Thing")

PAGE_SIZE = 50
"""So many things of a listing are asked for at once."""


class Operations:
    """What a tenant can do."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def run(
        self, request: Mapping[str, Any], idempotency_key: Optional[str], seconds: Optional[float], *, is_aloud: bool
    ) -> Steps[Execution]:
        sending = Sending(idempotency_key, self._asker.deadline_in(seconds))
        return Submission(self._asker, sending).run(request, is_aloud=is_aloud)

    def submit(self, request: Mapping[str, Any], idempotency_key: Optional[str]) -> Steps[Execution]:
        return Submission(self._asker, Sending(idempotency_key)).submit(request)

    def batch(self, requests: Sequence[Mapping[str, Any]], idempotency_key: Optional[str]) -> Steps[list[str]]:
        return Submission(self._asker, Sending(idempotency_key)).submit_all(requests)

    def executions(self) -> Steps[None]:
        return self._asker.walk(Execution, path_of("executions"), PAGE_SIZE)

    def usage(self, days: Optional[int]) -> Steps[TenantUsage]:
        return self._asker.ask(TenantUsage, Call("GET", path_of("usage"), {"days": days}))

    def agent_keys(self) -> Steps[Envelope]:
        return self._asker.ask(Envelope, Call("GET", path_of("agents", "keys")))

    # One execution.

    def show(self, id: str) -> Steps[Execution]:
        return self._asker.ask(Execution, Call("GET", path_of("executions", id)))

    def result(self, id: str, seconds: Optional[float]) -> Steps[Execution]:
        return result(self._asker, id, self._asker.deadline_in(seconds))

    def events(self, id: str, after: Optional[str]) -> Steps[Execution]:
        return Following(self._asker, Execution, path_of("executions", id), after=after).events()

    def cancel(self, id: str) -> Steps[Execution]:
        return cancel(self._asker, id)

    def purge(self, id: str) -> Steps[None]:
        return self._asker.remove(Call("DELETE", path_of("executions", id), {"purge": "true"}))

    def placement(self, id: str) -> Steps[Placement]:
        return self._asker.ask(Placement, Call("GET", path_of("executions", id, "placement")))

    def terminal_ticket(self, id: str) -> Steps[TerminalTicket]:
        call = Call("POST", path_of("executions", id, "terminal-ticket"), content=to_content({}))
        return self._asker.ask(TerminalTicket, call)

    # Environments.

    def declare(self, description: Mapping[str, Any], deadline: Optional[float] = None) -> Steps[Environment]:
        call = Call(
            "POST",
            path_of("environments"),
            content=to_content(description),
            deadline=deadline,
            # A fresh build that was asked for twice is two builds.
            is_repeated=lambda _: description.get("fresh") is not True,
        )
        return self._asker.ask(Environment, call)

    def ensure(self, description: Mapping[str, Any], seconds: Optional[float], *, is_aloud: bool) -> Steps[Environment]:
        deadline = self._asker.deadline_in(seconds)
        declared = yield from self.declare(description, deadline)
        if declared.is_over:
            return declared
        following = Following(self._asker, Environment, path_of("environments", declared.id), deadline=deadline)
        return (yield from (following.events() if is_aloud else following.end()))

    def show_environment(self, id: str) -> Steps[Environment]:
        return self._asker.ask(Environment, Call("GET", path_of("environments", id)))

    def environment_events(self, id: str, after: Optional[str]) -> Steps[Environment]:
        return Following(self._asker, Environment, path_of("environments", id), after=after).events()

    def log(self, id: str) -> Steps[None]:
        def text_of(event: Any) -> Optional[str]:
            return event.data.text if event.type == "build.log" else None

        return _select(self.environment_events(id, None), text_of)

    def environments(self) -> Steps[None]:
        return self._asker.walk(Environment, path_of("environments"), PAGE_SIZE)

    def bases(self) -> Steps[tuple[Base, ...]]:
        return self._all(Base, "bases")

    def recipes(self) -> Steps[tuple[Recipe, ...]]:
        return self._all(Recipe, "recipes")

    def recipe(self, name: str) -> Steps[Recipe]:
        return self._asker.ask(Recipe, Call("GET", path_of("recipes", name)))

    def _all(self, kind: type[Thing], noun: str) -> Steps[tuple[Thing, ...]]:
        """A list that comes as a whole."""
        heard = yield from self._asker.insist(Call("GET", path_of(noun)))
        answer = parse_json(heard.content)
        if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
            raise EnvicutorError("answer-malformed", f"what came is no list of {noun}")
        return tuple(to_answer(kind, item) for item in answer["items"])

    # Files.

    def upload(self, content: Union[bytes, Source]) -> Steps[StoredFile]:
        return upload(self._asker, content)

    def pieces(self, id: str) -> Steps[None]:
        return download(self._asker, id)

    def delete_file(self, id: str) -> Steps[None]:
        return self._asker.remove(Call("DELETE", path_of("files", id)))

    def files(self) -> Steps[None]:
        return self._asker.walk(StoredFile, path_of("files"), PAGE_SIZE)

    # Webhooks.

    def webhook_secret(self) -> Steps[WebhookSecret]:
        return self._asker.ask(WebhookSecret, Call("GET", path_of("webhooks", "secret")))

    def rotate_webhook_secret(self) -> Steps[WebhookSecret]:
        # Never tried again: twice would end the one before at once.
        call = Call("POST", path_of("webhooks", "secret", "rotate"), content=to_content({}))
        return self._asker.ask(WebhookSecret, call)

    def deliveries(self, execution: Optional[str]) -> Steps[None]:
        return self._asker.walk(Delivery, path_of("webhooks", "deliveries"), PAGE_SIZE, {"execution": execution})

    def delivery(self, id: str) -> Steps[Delivery]:
        return self._asker.ask(Delivery, Call("GET", path_of("webhooks", "deliveries", id)))

    def replay(self, id: str) -> Steps[Delivery]:
        call = Call("POST", path_of("webhooks", "deliveries", id, "replay"), content=to_content({}))
        return self._asker.ask(Delivery, call)


def _select(steps: Steps[Any], choose: Callable[[Any], Optional[Any]]) -> Steps[None]:
    """Emits what is chosen of what other steps emit; None is left out."""
    try:
        step = next(steps)
        while True:
            if isinstance(step, Emit):
                chosen = choose(step.item)
                if chosen is not None:
                    yield Emit(chosen)
                step = steps.send(None)
                continue
            try:
                came = yield step
            except GeneratorExit:
                raise
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(came)
    except StopIteration:
        return
    finally:
        steps.close()
