"""
Owns that one call is one execution: keys, waiting, what is cancelled when nobody wants it; the same through both doors.
"""

import asyncio
import json
from typing import Any

import httpx
import pytest

import envicutor
from envicutor import ApiError, DeadlineExceeded, EnvicutorError
from scripted_server import ScriptedServer, answer, event, execution, problem, stream

HELLO = {"run": "echo hello"}
RUN = "POST /v1/executions?wait=25"


def body_of(request: httpx.Request) -> Any:
    return json.loads(request.content)


def test_a_program_that_ends_in_time_is_one_request(scripted: ScriptedServer) -> None:
    scripted.answers = [answer(execution())]
    ended = scripted.client().run(**HELLO, stdin="x")
    assert (ended.verdict, ended.run.stdout, ended.is_over) == ("ok", "hello\n", True)
    assert scripted.said == [RUN]
    assert body_of(scripted.heard[0]) == {"environment": {}, "run": {"script": "echo hello", "stdin": "x"}}


def test_a_broken_connection_asks_again_with_the_same_key_and_another_call_has_another(
    scripted: ScriptedServer,
) -> None:
    client = scripted.client()
    scripted.answers = [httpx.ReadError("reset"), problem(503, "draining"), answer(execution()), answer(execution())]
    client.run(**HELLO)
    client.run(**HELLO)
    first, second, third, other = scripted.keys
    assert first == second == third != other
    assert all(key is not None and len(key) == 32 for key in (first, other))


def test_a_key_of_ones_own_is_used_as_it_is(scripted: ScriptedServer) -> None:
    scripted.answers = [answer(execution()), problem(422, "idempotency-key-reused")]
    client = scripted.client()
    client.run(**HELLO, idempotency_key="attempt-1")
    with pytest.raises(ApiError, match="idempotency-key-reused"):
        client.run(run="another", idempotency_key="attempt-1")
    assert scripted.keys == ["attempt-1", "attempt-1"]


def test_what_takes_longer_is_followed_to_its_end(scripted: ScriptedServer) -> None:
    told = event("stage", {"stage": "running", "cause": None}, 4) + event("finished", execution(), 5)
    scripted.answers = [answer(execution(is_over=False), 202), stream(told)]
    assert scripted.client().run(**HELLO).verdict == "ok"
    assert scripted.said == [RUN, "GET /v1/executions/exec_1/events"]


def test_an_operator_who_allows_less_waiting_is_not_waited_at(scripted: ScriptedServer) -> None:
    refused = problem(400, "request-invalid", errors=[{"pointer": "?wait", "detail": "is above 10"}])
    scripted.answers = [refused, answer(execution(is_over=False), 202), stream(event("finished", execution(), 1))]
    assert scripted.client().run(**HELLO).verdict == "ok"
    assert scripted.said == [RUN, "POST /v1/executions", "GET /v1/executions/exec_1/events"]


def test_what_was_accepted_and_refused_afterwards_is_asked_for_by_another_key(scripted: ScriptedServer) -> None:
    scripted.answers = [problem(503, "no-agent"), answer(execution())]
    scripted.client().run(**HELLO)
    assert scripted.keys[0] != scripted.keys[1]
    scripted.answers = [problem(503, "no-agent")]
    with pytest.raises(ApiError, match="no-agent"):
        scripted.client().run(**HELLO, idempotency_key="mine")


def test_what_is_refused_while_it_is_followed_is_an_error_too(scripted: ScriptedServer) -> None:
    failed = execution(stage="failed", verdict=None, failure={"code": "no-agent", "detail": "nobody came"})
    scripted.answers = [answer(execution(is_over=False), 202), stream(event("finished", failed, 1))]
    with pytest.raises(EnvicutorError, match="nobody came"):
        scripted.client().run(**HELLO)


def test_our_own_fault_is_an_answer_with_its_stage(scripted: ScriptedServer) -> None:
    failed = execution(stage="failed", verdict=None, failure={"code": "agent-lost", "detail": "gone"})
    scripted.answers = [answer(failed)]
    ended = scripted.client().run(**HELLO)
    assert (ended.stage, ended.verdict, ended.failure.code) == ("failed", None, "agent-lost")


def test_a_deadline_cancels_what_was_accepted(scripted: ScriptedServer) -> None:
    scripted.answers = [
        answer(execution(is_over=False), 202),
        stream(httpx.ReadError("reset")),
        answer(execution(is_over=False)),
        stream(httpx.ReadError("reset")),
        answer(execution(stage="cancelled")),
    ]
    with pytest.raises(DeadlineExceeded):
        scripted.client().run(**HELLO, timeout_seconds=0.5)
    assert scripted.said[-1] == "DELETE /v1/executions/exec_1"


def test_a_deadline_before_any_answer_asks_with_the_same_key_what_to_cancel(scripted: ScriptedServer) -> None:
    scripted.answers = [
        httpx.ReadError("reset"),
        httpx.ReadError("reset"),
        answer(execution(is_over=False), 202),
        answer(execution(stage="cancelled")),
    ]
    with pytest.raises(DeadlineExceeded) as late:
        scripted.client().run(**HELLO, timeout_seconds=0.6)
    assert scripted.said == [RUN, RUN, "POST /v1/executions", "DELETE /v1/executions/exec_1"]
    assert len(set(scripted.keys[:3])) == 1
    assert "connection-failed" in str(late.value)


def test_a_deadline_is_not_held_up_by_a_server_that_does_not_answer_the_cancelling(scripted: ScriptedServer) -> None:
    scripted.answers = [answer(execution(is_over=False), 202), *(httpx.ConnectError("refused") for _ in range(40))]
    with pytest.raises(DeadlineExceeded):
        scripted.client().run(**HELLO, timeout_seconds=3)
    assert scripted.clock.at < 1000 + 3 + 5 + 0.5


def test_an_interrupt_cancels_and_goes_on() -> None:
    said: list[str] = []
    answers = [answer(execution(is_over=False), 202), stream(KeyboardInterrupt()), answer(execution())]

    def handle(request: httpx.Request) -> httpx.Response:
        said.append(request.method)
        return answers.pop(0)

    with (
        envicutor.Envicutor("http://server.test", transport=httpx.MockTransport(handle)) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.run(run="sleep 60")
    assert said == ["POST", "GET", "DELETE"]


def test_a_task_that_is_cancelled_cancels_and_goes_on_being_cancelled() -> None:
    said: list[str] = []
    asked: asyncio.Event

    async def handle(request: httpx.Request) -> httpx.Response:
        said.append(request.method)
        asked.set()
        if len(said) == 1:
            await asyncio.sleep(3600)
        return answer(execution(is_over=False))

    async def main() -> None:
        nonlocal asked
        asked = asyncio.Event()
        transport = httpx.MockTransport(handle)
        async with envicutor.AsyncEnvicutor("http://server.test", transport=transport) as client:
            task = asyncio.ensure_future(client.run(run="sleep 60"))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert said == ["POST", "POST", "DELETE"]


def test_events_are_heard_before_the_next_is_read_and_a_listener_that_fails_is_not_asked_again(
    scripted: ScriptedServer,
) -> None:
    told = event("stage", {"stage": "running", "cause": None}, 1) + event("finished", execution(), 2)
    heard: list[Any] = []
    scripted.answers = [answer(execution(is_over=False), 202), stream(told)]
    ended = scripted.client().run(**HELLO, on_event=heard.append)
    assert [each.type for each in heard] == ["stage", "finished"]
    assert heard[-1].data == ended
    assert scripted.said[0] == "POST /v1/executions"

    def fail(_: Any) -> None:
        raise EnvicutorError("connection-failed", "the listener's own")

    scripted.answers = [answer(execution(is_over=False), 202), stream(told)]
    with pytest.raises(EnvicutorError, match="the listener's own"):
        scripted.client().run(**HELLO, on_event=fail)
    assert scripted.clock.waits == []


def test_a_listener_may_be_awaited() -> None:
    heard: list[str] = []

    async def listen(each: Any) -> None:
        await asyncio.sleep(0)
        heard.append(each.type)

    async def main() -> None:
        answers = [answer(execution(is_over=False), 202), stream(event("finished", execution(), 2))]
        transport = httpx.MockTransport(lambda _: answers.pop(0))
        async with envicutor.AsyncEnvicutor("http://server.test", transport=transport) as client:
            await client.run(run="true", on_event=listen)

    asyncio.run(main())
    assert heard == ["finished"]


def test_a_batch_is_one_request_that_may_be_asked_again(scripted: ScriptedServer) -> None:
    ids = {"executions": [{"id": "exec_1"}, {"id": "exec_2"}]}
    scripted.answers = [httpx.ReadError("reset"), answer(ids, 202)]
    handles = scripted.client().batch([{"run": "echo a"}, {"run": {"script": "echo b"}, "stdin": b"\xff"}])
    assert [handle.id for handle in handles] == ["exec_1", "exec_2"]
    assert scripted.keys[0] == scripted.keys[1]
    assert body_of(scripted.heard[1])["executions"][1]["run"] == {
        "script": "echo b",
        "stdin": "/w==",
        "stdinEncoding": "base64",
    }


def test_a_terminal_is_attached_to_and_not_waited_for(scripted: ScriptedServer) -> None:
    ticket = {"ticket": "ticket_1", "expiresAt": "2026-11-28T12:00:00Z"}
    scripted.answers = [answer(execution(is_over=False), 202), answer(ticket, 201)]
    handle = scripted.client().submit(run="bash", interactive=True)
    assert handle.terminal_ticket().ticket == "ticket_1"
    assert scripted.said == ["POST /v1/executions", "POST /v1/executions/exec_1/terminal-ticket"]
