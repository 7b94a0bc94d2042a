"""
Owns that a stream which breaks is gone on with: no event is missing, none comes twice, and the end is told whatever the server remembers.
"""

from typing import Any

import httpx
import pytest

from envicutor import EnvicutorError
from envicutor.event_parser import EventParser
from scripted_server import Pieces, ScriptedServer, answer, event, execution, problem, stream

OUTPUT = {"script": "run", "encoding": "base64"}
EVENTS = "GET /v1/executions/exec_1/events"


def output(text: str, id: int) -> bytes:
    return event("stdout", {**OUTPUT, "data": text}, id)


def test_a_stream_that_breaks_goes_on_behind_the_last_event(scripted: ScriptedServer) -> None:
    scripted.answers = [
        stream(output("b25l", 7), output("dHdv", 8)[:20], httpx.ReadError("reset")),
        httpx.ConnectError("refused"),
        stream(output("dHdv", 8)),
        stream(event("finished", execution(), 9)),
    ]
    events = list(scripted.client().execution("exec_1").events())
    assert [each.id for each in events] == ["7", "8", "9"]
    assert b"".join(each.data.output for each in events[:2]) == b"onetwo"
    assert events[-1].data.verdict == "ok"
    assert [each.headers.get("last-event-id") for each in scripted.heard] == [None, "7", "7", "8"]
    # Of one row of failures each wait is longer; a success begins anew.
    assert scripted.clock.waits == [0.25, 0.5, 0.25]


def test_one_goes_on_behind_an_event_of_ones_own(scripted: ScriptedServer) -> None:
    scripted.answers = [stream(event("finished", execution(), 9))]
    assert [each.type for each in scripted.client().execution("exec_1").events(after="8")] == ["finished"]
    assert scripted.heard[0].headers["last-event-id"] == "8"


def test_where_nothing_more_is_told_the_end_is_asked_for(scripted: ScriptedServer) -> None:
    scripted.answers = [httpx.Response(204), answer(execution())]
    (last,) = scripted.client().execution("exec_1").events(after="9")
    assert (last.type, last.id, last.data.verdict) == ("finished", "9", "ok")
    assert scripted.said == [EVENTS, "GET /v1/executions/exec_1"]


def test_who_wants_the_end_alone_asks_for_it_before_coming_back(scripted: ScriptedServer) -> None:
    scripted.answers = [stream(output("b25l", 1), httpx.ReadError("reset")), answer(execution())]
    assert scripted.client().execution("exec_1").result().verdict == "ok"
    assert scripted.said == [EVENTS, "GET /v1/executions/exec_1"]


def test_an_end_that_is_none_is_not_believed(scripted: ScriptedServer) -> None:
    scripted.answers = [
        stream(event("finished", execution(is_over=False), 1)),
        stream(event("finished", execution(), 2)),
    ]
    assert [each.id for each in scripted.client().execution("exec_1").events()] == ["2"]


def test_an_event_of_a_later_server_is_passed_on_as_it_is(scripted: ScriptedServer) -> None:
    later = execution(novelty={"a": 1})
    scripted.answers = [stream(event("novelty", {"of": "2027"}, 1), event("finished", later, 2))]
    first, last = scripted.client().execution("exec_1").events()
    assert (first.type, first.data) == ("novelty", {"of": "2027"})
    assert last.data.id == "exec_1"


def test_what_is_no_stream_is_told_as_that(scripted: ScriptedServer) -> None:
    scripted.answers = [httpx.Response(200, text="<html>")]
    with pytest.raises(EnvicutorError) as failed:
        list(scripted.client().execution("exec_1").events())
    assert failed.value.code == "answer-unexpected"
    scripted.answers = [problem(404, "execution-not-found")]
    with pytest.raises(EnvicutorError, match="execution-not-found"):
        list(scripted.client().execution("exec_1").events())


def test_whoever_stops_reading_closes_the_stream(scripted: ScriptedServer) -> None:
    body = Pieces([output("b25l", 1), output("dHdv", 2)])
    scripted.answers = [httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body)]
    events = scripted.client().execution("exec_1").events()
    assert next(events).id == "1"
    assert not body.is_closed
    events.close()
    assert body.is_closed


def test_a_log_is_what_the_build_says(scripted: ScriptedServer) -> None:
    line = {"layer": "setup", "stream": "stdout", "text": "Reading package lists"}
    environment: dict[str, Any] = {
        "id": "env_1",
        "state": "ready",
        "scope": "tenant",
        "base": "debian-13",
        "layers": [],
        "endedIn": None,
        "setup": None,
        "dependencies": None,
        "verify": None,
        "failure": None,
        "createdAt": "2026-11-28T12:00:00Z",
        "finishedAt": "2026-11-28T12:00:00Z",
    }
    scripted.answers = [
        stream(event("state", {"state": "building", "cause": None}, 1), event("build.log", line, 2)),
        stream(event("build.log", {**line, "text": "…\n"}, 3), event("finished", environment, 4)),
    ]
    assert "".join(scripted.client().environments.log("env_1")) == "Reading package lists…\n"


SENT = '\ufeffid: 1\r\n: hello\r\n\r\nevent: a\r\ndata: {\r\ndata:  "ü"}\n\nid\ndata\r\rdata: last\n\nevent: empty\n\n'.encode()
PARSED = [("a", '{\n "ü"}', "1"), ("message", "", ""), ("message", "last", "")]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_the_same_bytes_are_the_same_events_in_whatever_pieces(size: int) -> None:
    parser = EventParser()
    events: list[Any] = []
    for at in range(0, len(SENT), size):
        events.extend(parser.take(SENT[at : at + size]))
    assert [(each.name, each.data, each.id) for each in events] == PARSED


def test_what_is_larger_than_the_bound_is_an_error_and_comments_weigh_nothing() -> None:
    parser = EventParser(characters_max=40)
    assert [each.data for each in parser.take((b": " + b"x" * 30 + b"\n") * 10 + b"data: y\n\n")] == ["y"]
    with pytest.raises(EnvicutorError) as failed:
        parser.take(b"data: 12345\n" * 10)
    assert failed.value.code == "answer-too-large"
