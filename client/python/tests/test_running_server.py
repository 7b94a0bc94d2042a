"""
Owns the proof of the client against a running server with a real agent: results, events, files and cancelling, while connections are cut in the middle and
the coordinator restarts; the same through both doors. Invariant of all: one call is one execution at the server.
"""

import asyncio
import contextlib
import io
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import envicutor
from conftest import RunningServer
from doors import Door
from envicutor import ApiError, DeadlineExceeded, NetworkError, Retries
from envicutor.receipts import ReceiptRejected, verify_receipt


def ids_of(client: Any, label: str) -> list[str]:
    """Executions that say this of themselves."""
    return [each.id for each in client.executions() if each.metadata.get("label") == label]


def once_there(server: RunningServer, label: str, act: Any) -> threading.Thread:
    """Acts when such an execution is there."""

    def wait() -> None:
        with envicutor.Envicutor(server.url) as watching:
            while not ids_of(watching, label):
                time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_program_runs_and_its_verdict_is_an_answer_whatever_it_is(client: Any) -> None:
    ended = client.run(
        files={"hello.sh": 'read name; echo "hello $name"', "bin/data": b"\x00\xff"},
        run='sh hello.sh "$@"; wc -c < bin/data',
        stdin="world\n",
        limits={"cpu_time_ms": 1000},
        metadata={"my_label": 1},
    )
    assert (ended.stage, ended.verdict, ended.run.stdout) == ("finished", "ok", "hello world\n2\n")
    assert ended.metadata == {"my_label": 1}
    assert ended.run.usage.wall_time_ms > 0
    failed = client.run(run={"script": "exit 3"})
    assert (failed.verdict, failed.run.exit_code) == ("nonzero-exit", 3)
    slow = client.run(run="while :; do :; done", limits={"cpu_time_ms": 100})
    assert (slow.verdict, slow.run.exceeded.limit, slow.run.exceeded.allowed) == ("cpu-time-exceeded", "cpuTimeMs", 100)
    odd = client.run(run="printf '\\377'")
    assert (odd.run.stdout_encoding, odd.run.stdout_bytes) == ("base64", b"\xff")


def test_compile_tests_groups_and_checks_come_to_points(client: Any) -> None:
    ended = client.run(
        compile="echo 'read a b; echo $((a + b))' > add.sh",
        run="sh add.sh",
        tests=[
            {"name": "sample", "stdin": "1 2\n", "expected": "3\n", "group": "samples"},
            {"stdin": b"2 2\n", "expected": "5\n", "group": "large"},
        ],
        groups=[{"name": "samples", "points": 10}, {"name": "large", "points": 90, "requires": ["samples"]}],
        check="tokens",
        tests_at_once=2,
    )
    assert (ended.verdict, ended.score.points, ended.score.of) == ("wrong-answer", 10, 100)
    assert [each.outcome for each in ended.tests] == ["accepted", "wrong-answer"]
    checked = client.run(
        run="echo 4",
        tests=[{"stdin": "x", "expected": "4"}],
        check={"kind": "program", "run": 'read said < "$2"; [ "$said" = 4 ] && echo points 0.5 >&2; exit 7'},
    )
    assert checked.tests[0].check.message.startswith("points 0.5")
    assert checked.score.points == 0.5


def test_a_request_that_is_wrong_is_an_error_that_says_where(client: Any) -> None:
    with pytest.raises(ApiError) as failed:
        client.run(run="true", limits={"wall_time_ms": -1})
    assert (failed.value.code, failed.value.status) == ("request-invalid", 400)
    assert [place.pointer for place in failed.value.errors] == ["/run/limits/wallTimeMs"]
    assert failed.value.request_id
    with pytest.raises(ApiError) as failed:
        client.run(run="true", limits={"cpu_tiem_ms": 1})
    assert "cpuTimeMs" in failed.value.errors[0].detail
    with pytest.raises(ApiError, match="execution-not-found"):
        client.execution("exec_0123456789abcdef").show()


def test_a_key_is_asked_for_and_a_wrong_one_refused(server: RunningServer, door: Door) -> None:
    for key in (None, "wrong"):
        with pytest.raises(ApiError) as failed:
            door.open(server.keyed_url, key=key).usage()
        assert (failed.value.code, failed.value.status) == ("unauthenticated", 401)
    assert door.open(server.keyed_url, key=server.key).usage().tenant == "one"


def test_where_nobody_listens_is_told_after_the_budget(door: Door) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with pytest.raises(NetworkError) as failed:
        door.open(f"http://127.0.0.1:{port}", retries=Retries(budget_seconds=0.1, delay_seconds_min=0.02)).run(
            run="true"
        )
    assert (failed.value.code, failed.value.status) == ("connection-failed", None)
    assert f"127.0.0.1:{port}" in str(failed.value)


def test_events_come_as_they_happen_and_end_with_the_answer(client: Any) -> None:
    events: list[Any] = []
    ended = client.run(run="for i in 1 2 3; do echo $i; done", on_event=events.append)
    assert (events[-1].type, events[-1].data) == ("finished", ended)
    assert b"".join(each.data.output for each in events if each.type == "stdout") == b"1\n2\n3\n"
    stages = [each.data.stage for each in events if each.type == "stage"]
    assert "running" in stages
    assert stages[-1] == "finished"
    handle = client.execution(ended.id)
    assert handle.result() == handle.show() == ended
    again = list(handle.events(after=events[-2].id))
    assert [each.type for each in again] == ["finished"]
    assert len(handle.placement().attempts) == 1


def test_a_cable_that_is_cut_while_a_result_is_waited_for(server: RunningServer, far: Any, client: Any) -> None:
    label = f"cut {id(far)}"
    cutting = once_there(server, label, server.cut)
    ended = far.run(run="sleep 1; echo whole", metadata={"label": label})
    cutting.join()
    assert ended.run.stdout == "whole\n"
    assert ids_of(client, label) == [ended.id]


def test_a_stream_that_is_cut_again_and_again_is_gone_on_with(server: RunningServer, far: Any) -> None:
    handle = far.submit(run="i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); sleep 0.05; done")
    events: list[Any] = []
    for each in handle.events():
        events.append(each)
        if each.type == "stdout" and len(events) % 8 == 0:
            server.cut()
    output = b"".join(each.data.output for each in events if each.type == "stdout").decode()
    assert output == "".join(f"line {number}\n" for number in range(30))
    assert len({each.id for each in events}) == len(events)
    assert events[-1].type == "finished"


def test_a_coordinator_that_restarts_while_a_result_is_waited_for(server: RunningServer, client: Any) -> None:
    label = f"restart {id(client)}"
    restarting = once_there(server, label, server.restart)
    ended = client.run(run="sleep 1; echo there", metadata={"label": label})
    restarting.join()
    assert (ended.stage, ended.run.stdout) == ("finished", "there\n")
    assert ids_of(client, label) == [ended.id]


def test_a_deadline_cancels_at_the_server_and_a_result_has_one_of_its_own(client: Any) -> None:
    label = f"deadline {id(client)}"
    for on_event in (None, lambda _: None):
        with pytest.raises(DeadlineExceeded):
            client.run(
                run="while :; do echo x; sleep 0.2; done",
                metadata={"label": label},
                timeout_seconds=1,
                on_event=on_event,
            )
    ids = ids_of(client, label)
    assert [client.execution(id).result().stage for id in ids] == ["cancelled"] * 2
    handle = client.submit(run="sleep 60")
    with pytest.raises(TimeoutError):
        handle.result(timeout_seconds=0.3)
    assert not handle.show().is_over
    assert handle.cancel().stage == handle.cancel().stage == "cancelled"


def test_a_task_that_is_cancelled_leaves_nothing_running(server: RunningServer) -> None:
    async def main() -> str:
        async with envicutor.AsyncEnvicutor(server.url) as client:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(client.run(run="sleep 60", metadata={"label": "task"}), 1)
            (id,) = [each.id async for each in client.executions() if each.metadata.get("label") == "task"]
            return (await client.execution(id).result()).stage

    assert asyncio.run(main()) == "cancelled"


def test_many_run_at_once_on_one_client(server: RunningServer) -> None:
    async def main() -> list[str]:
        async with envicutor.AsyncEnvicutor(server.url) as client:
            ended = await asyncio.gather(*(client.run(run=f"echo {number}") for number in range(6)))
            return [each.run.stdout if each.run else "" for each in ended]

    assert asyncio.run(main()) == [f"{number}\n" for number in range(6)]


def test_a_batch_is_accepted_once_and_followed_like_any_other(client: Any) -> None:
    key = f"batch {id(client)}"
    requests = [{"run": f"echo {word}"} for word in ("one", "two")]
    handles = client.batch(requests, idempotency_key=key)
    assert [handle.result().run.stdout for handle in handles] == ["one\n", "two\n"]
    assert [handle.id for handle in client.batch(requests, idempotency_key=key)] == [handle.id for handle in handles]
    with pytest.raises(ApiError) as failed:
        client.batch([*requests, {"run": {"script": 3}}])
    assert failed.value.errors[0].pointer == "/executions/2/run/script"


def test_environments_are_ensured_shown_and_listed(client: Any) -> None:
    events: list[Any] = []
    setup = f"echo {id(client)}"
    ready = client.environments.ensure(setup=setup, on_event=events.append)
    assert (ready.state, ready.failure) == ("ready", None)
    assert not events or events[-1].data == ready
    assert client.environments.ensure(setup=setup, timeout_seconds=30).id == ready.id
    assert client.environments.declare(setup=setup).id == client.environments.show(ready.id).id == ready.id
    assert "building setup" in "".join(client.environments.log(ready.id))
    assert [each.type for each in client.environments.events(ready.id)][-1] == "finished"
    assert ready.id in [each.id for each in client.environments.list()]
    assert any(base.is_default for base in client.environments.bases())
    for environment in (ready, ready.id):
        assert client.run(environment=environment, run="true").environment.id == ready.id


def test_a_recipe_makes_a_request_of_sources(client: Any) -> None:
    recipe = client.recipes.get("sh")
    assert [each.name for each in client.recipes.list()] == [recipe.name] == ["bash"]
    request = recipe.request(
        {"data": "", "other.sh": 'echo "$1"; cat; echo "$MAIN"'},
        arguments=["one"],
        stdin="two\n",
        compiler_options="-O2",
        limits={"wall_time_ms": 5000},
    )
    assert request["run"]["limits"] == {"processes": 20, "wallTimeMs": 5000}
    ended = client.run(**request)
    assert (ended.run.stdout, ended.environment.id) == ("one\ntwo\nother.sh\n-O2\n", recipe.environment_id)
    named = recipe.request([{"path": "main.sh", "content": "echo main"}, {"path": "b.sh", "content": "echo b"}])
    assert client.run(**named).run.stdout == "main\n\n"
    with pytest.raises(ApiError) as failed:
        client.recipes.get("nobody's")
    assert failed.value.code == "recipe-not-found"


def test_files_are_sent_once_named_collected_and_fetched_over_cuts(
    server: RunningServer, far: Any, tmp_path: Path
) -> None:
    content = bytes(number * 7 % 256 for number in range(65_521)) * 92
    path = tmp_path / "in.bin"
    path.write_bytes(content)
    stored = far.files.upload(path)
    assert stored.bytes == len(content)
    assert far.files.upload(io.BytesIO(content)).id == stored.id
    assert far.files.upload(content[at : at + 500_000] for at in range(0, len(content), 500_000)).id == stored.id
    ended = far.run(files={"in.bin": stored}, run="wc -c < in.bin; cat > out.bin", stdin=stored, collect=["*.bin"])
    assert ended.run.stdout == f"{len(content)}\n"
    (left,) = [each for each in ended.files if each.path == "out.bin"]
    fetched, cuts = b"", 0
    for piece in far.files.stream(left.file):
        fetched += piece
        if len(fetched) > (cuts + 1) * 2_000_000:
            cuts += 1
            server.cut()
    assert cuts >= 2
    assert fetched == content == far.files.download(stored.id)
    assert stored.id in [each.id for each in far.files.list()]
    far.files.delete(stored.id)
    with pytest.raises(ApiError, match="file-not-found"):
        far.files.download(stored.id)


def test_asynchronous_pieces_are_sent_as_they_come(server: RunningServer) -> None:
    async def pieces() -> Any:
        for _ in range(3):
            await asyncio.sleep(0)
            yield b"abc"

    async def main() -> bytes:
        async with envicutor.AsyncEnvicutor(server.url) as client:
            return await client.files.download((await client.files.upload(pieces())).id)

    assert asyncio.run(main()) == b"abcabcabc"


def test_usage_secrets_and_deliveries_are_there(client: Any) -> None:
    usage = client.usage(days=1)
    assert (usage.tenant, len(usage.days)) == ("local", 1)
    secret = client.webhooks.secret()
    assert secret.secret.startswith("whsec_")
    assert client.webhooks.rotate_secret().generation == secret.generation + 1
    assert list(client.webhooks.deliveries()) == []
    with pytest.raises(ApiError) as failed:
        client.webhooks.replay("delivery_none")
    assert failed.value.status == 404


def test_a_receipt_of_this_server_is_verified_with_all_that_was_asked(server: RunningServer, client: Any) -> None:
    request: Any = {
        "files": {"a": b"\xff", "b": "ü"},
        "compile": {"script": "echo $X > made", "variables": {"X": "1"}},
        "run": "cat made -; exit 1",
        "stdin": "in\n",
        "limits": {"wall_time_ms": 9000},
        "tests": [{"stdin": "1\n", "expected": "1\n1\n"}, {"name": "second", "expected": b"x"}],
        "groups": [{"name": "g"}],
        "check": {"kind": "float", "tolerance": 0.00001},
    }
    ended = client.run(**request)
    trusted = {"agent_keys": client.agent_keys(), "signing_key_ids": server.signing_key_ids()}
    verified = verify_receipt(ended, request=request, tenant="local", **trusted)
    assert verified.is_request_checked
    assert verified.agent["agentId"] == ended.agent.id
    for wrong in (
        {**request, "stdin": "other"},
        {**request, "check": "tokens"},
        {**request, "tests": request["tests"][:1]},
    ):
        with pytest.raises(ReceiptRejected, match="request-differs"):
            verify_receipt(ended, request=wrong, **trusted)


def test_what_is_purged_is_found_by_nobody(client: Any) -> None:
    handle = client.submit(run="true")
    handle.result()
    handle.purge()
    with pytest.raises(ApiError, match="execution-not-found"):
        handle.show()
