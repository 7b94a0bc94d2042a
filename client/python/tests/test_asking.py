"""
Owns what the client asks again and what not, when, and by what name it fails; the same through both doors.
"""

import pickle
from typing import Any

import httpx
import pytest

import envicutor
from doors import Door
from envicutor import ApiError, EnvicutorError, NetworkError, Retries
from envicutor.codes import API_CODES
from scripted_server import ScriptedServer, answer, execution, problem

USAGE = {
    "tenant": "local",
    "now": {
        name: {"used": 0, "max": None}
        for name in ("concurrency", "queueDepth", "executionsPerMinute", "buildSeconds", "egressBytes", "storedBytes")
    },
    "dayEndsInSeconds": 5,
    "days": [],
}


def test_a_key_goes_along_and_the_address_may_have_a_path(scripted: ScriptedServer) -> None:
    scripted.answers = [answer(USAGE)]
    usage = scripted.client(url="http://server.test/envicutor/", key="secret").usage(days=3)
    assert (usage.tenant, usage.now.concurrency.used, usage.day_ends_in_seconds) == ("local", 0, 5)
    (asked,) = scripted.heard
    assert str(asked.url) == "http://server.test/envicutor/v1/usage?days=3"
    assert asked.headers["authorization"] == "Bearer secret"
    assert asked.headers["user-agent"] == f"envicutor-python/{envicutor.__version__}"


@pytest.mark.parametrize("url", ["ftp://server", "server:7070", "http://", "http://me:pw@server", "http://server/?a=b"])
def test_an_address_that_is_none_is_refused_at_once(door: Door, url: str) -> None:
    with pytest.raises(ValueError, match=r"is no http|has more than a path") as refused:
        door.open(url)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        lambda _: problem(503, "draining"),
        lambda _: problem(429, "queue-full"),
        lambda _: httpx.Response(502, text="<html>a proxy</html>"),
    ],
    ids=["refused", "reset", "silent", "draining", "queue-full", "proxy"],
)
def test_what_may_help_is_asked_again(scripted: ScriptedServer, trouble: Any) -> None:
    scripted.answers = [trouble, answer(USAGE)]
    assert scripted.client().usage().tenant == "local"
    assert scripted.clock.waits == [0.25]


@pytest.mark.parametrize(("status", "code"), [(400, "request-invalid"), (401, "unauthenticated"), (500, "internal")])
def test_what_can_not_help_is_told_at_once(scripted: ScriptedServer, status: int, code: str) -> None:
    places = [{"pointer": "?days", "detail": "is too large"}]
    scripted.answers = [problem(status, code, errors=places)]
    with pytest.raises(ApiError) as failed:
        scripted.client().usage()
    error = failed.value
    assert (error.code, error.status, error.request_id) == (code, status, "req_1")
    assert [(place.pointer, place.detail) for place in error.errors] == [("?days", "is too large")]
    assert str(error) == f"{code}: it is {code}"
    assert not error.is_retryable
    assert scripted.clock.waits == []


def test_waits_double_up_to_their_bound_and_end_with_the_budget(scripted: ScriptedServer) -> None:
    scripted.answers = [httpx.ConnectError("refused") for _ in range(20)]
    retries = Retries(budget_seconds=30, delay_seconds_min=1, delay_seconds_max=8)
    with pytest.raises(NetworkError) as failed:
        scripted.client(retries=retries).usage()
    assert failed.value.code == "connection-failed"
    assert scripted.clock.waits == [1, 2, 4, 8, 8]


def test_chance_makes_a_wait_up_to_half_shorter(door: Door) -> None:
    scripted = ScriptedServer(door, chance=0.8)
    scripted.answers = [httpx.ConnectError("refused"), answer(USAGE)]
    scripted.client().usage()
    assert scripted.clock.waits == [pytest.approx(0.15)]


@pytest.mark.parametrize(("told", "waited"), [("7", 7.0), ("Tue, 14 Nov 2023 22:30:10 GMT", 10.0), ("soon", 0.25)])
def test_a_server_that_says_when_is_not_asked_before(scripted: ScriptedServer, told: str, waited: float) -> None:
    # The clock stands at 1,700,001,000 seconds: 22:30:00.
    scripted.answers = [problem(429, "rate-exceeded", {"retry-after": told}), answer(USAGE)]
    scripted.client().usage()
    assert scripted.clock.waits == [waited]


def test_a_little_is_added_by_chance_to_what_the_server_wants(door: Door) -> None:
    scripted = ScriptedServer(door, chance=0.5)
    scripted.answers = [problem(429, "rate-exceeded", {"retry-after": "100"}), answer(USAGE)]
    scripted.client().usage()
    assert scripted.clock.waits == [101.0]


def test_what_the_server_wants_to_wait_longer_for_than_the_budget_fails_at_once(scripted: ScriptedServer) -> None:
    scripted.answers = [problem(429, "quota-exceeded", {"retry-after": "3600"})]
    with pytest.raises(EnvicutorError) as failed:
        scripted.client().usage()
    assert (failed.value.code, failed.value.retry_after_seconds) == ("quota-exceeded", 3600)
    assert scripted.clock.waits == []


def test_what_would_be_done_twice_is_asked_once(scripted: ScriptedServer) -> None:
    scripted.answers = [httpx.ReadError("reset")]
    with pytest.raises(NetworkError):
        scripted.client().webhooks.rotate_secret()
    scripted.answers = [problem(503, "draining")]
    with pytest.raises(ApiError):
        scripted.client().environments.declare(base="debian-13", fresh=True)
    assert scripted.clock.waits == []


def test_a_redirect_is_followed_nowhere(scripted: ScriptedServer) -> None:
    scripted.answers = [httpx.Response(307, headers={"location": "http://elsewhere.test/v1/usage"})]
    with pytest.raises(ApiError) as failed:
        scripted.client(key="secret").usage()
    assert (failed.value.code, failed.value.status) == ("answer-unexpected", 307)
    assert len(scripted.heard) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"tenant": 3}', b'"text"', b"\xff"])
def test_what_is_no_answer_of_the_api_is_told_as_that(scripted: ScriptedServer, body: bytes) -> None:
    scripted.answers = [httpx.Response(200, content=body)]
    with pytest.raises(EnvicutorError) as failed:
        scripted.client().usage()
    assert failed.value.code == "answer-malformed"


def test_pages_are_fetched_when_they_are_needed(scripted: ScriptedServer) -> None:
    first = {"items": [execution(id="exec_1"), execution(id="exec_2")], "next": "a b"}
    scripted.answers = [answer(first), answer({"items": [execution(id="exec_3")], "next": None})]
    listed = scripted.client().executions()
    assert [next(listed).id, next(listed).id] == ["exec_1", "exec_2"]
    assert scripted.said == ["GET /v1/executions?limit=50"]
    assert [each.id for each in listed] == ["exec_3"]
    assert scripted.said[1:] == ["GET /v1/executions?limit=50&cursor=a+b"]


def test_what_is_gone_after_a_broken_connection_was_removed(scripted: ScriptedServer) -> None:
    client = scripted.client()
    scripted.answers = [httpx.ReadError("reset"), problem(404, "file-not-found")]
    client.files.delete("file_1")
    scripted.answers = [problem(404, "file-not-found")]
    with pytest.raises(ApiError, match="file-not-found"):
        client.files.delete("file_1")


def test_an_id_is_data_whatever_is_in_it(scripted: ScriptedServer) -> None:
    scripted.answers = [answer(execution())]
    scripted.client().execution("../keys?x=1").show()
    assert scripted.said == ["GET /v1/executions/..%2Fkeys%3Fx%3D1"]


def test_codes_say_what_the_catalogue_says_and_errors_reach_other_processes_whole() -> None:
    assert API_CODES["no-agent"] is True
    assert API_CODES["request-invalid"] is False
    assert not envicutor.CLIENT_CODES.keys() & API_CODES.keys()
    place = envicutor.ErrorPlace("/run", "is wrong")
    error = ApiError("queue-full", "wait", status=429, errors=(place,), request_id="req_2", retry_after_seconds=2.5)
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), vars(copied), str(copied)) == (ApiError, vars(error), str(error))
    late = envicutor.DeadlineExceeded("deadline-exceeded", "late")
    assert isinstance(late, TimeoutError)
    assert (str(late), str(pickle.loads(pickle.dumps(late)))) == ("deadline-exceeded: late",) * 2
