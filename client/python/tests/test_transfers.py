"""
Owns that files arrive whole: what is sent again after a broken connection, and what is fetched goes on where it was.
"""

from pathlib import Path

import httpx
import pytest

from envicutor import EnvicutorError
from scripted_server import Pieces, ScriptedServer, answer, problem

STORED = {"id": "file_1", "sha256": "00", "bytes": 3, "expiresAt": "2026-11-28T12:00:00Z"}


def test_what_can_be_read_again_is_sent_again(scripted: ScriptedServer, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with path.open("rb") as opened:
        for content in (b"abc", "abc", path, opened):
            sent: list[bytes] = []

            def take(request: httpx.Request, sent: list[bytes] = sent) -> httpx.Response:
                sent.append(request.content)
                if len(sent) == 1:
                    raise httpx.WriteError("reset")
                return answer(STORED, 201)

            scripted.answers = [take, take]
            assert scripted.client().files.upload(content).id == "file_1"
            assert sent == [b"abc", b"abc"]
    assert {each.headers["content-type"] for each in scripted.heard} == {"application/octet-stream"}


def test_what_can_be_read_once_is_sent_once(scripted: ScriptedServer) -> None:
    scripted.answers = [httpx.WriteError("reset")]
    with pytest.raises(EnvicutorError) as failed:
        scripted.client().files.upload(piece for piece in (b"a", b"bc"))
    assert failed.value.code == "stream-consumed"


def test_a_file_that_can_not_be_read_is_the_programs_own_matter(scripted: ScriptedServer, tmp_path: Path) -> None:
    # Which file of this machine is meant is known when its bytes are asked for.
    scripted.answers = [lambda request: answer(STORED, 201 if request.content else 500)]
    with pytest.raises(FileNotFoundError):
        scripted.client().files.upload(tmp_path / "missing")
    assert scripted.clock.waits == []


def pieces(*parts: "bytes | BaseException", status: int = 200) -> httpx.Response:
    return httpx.Response(status, stream=Pieces(parts))


def test_a_file_goes_on_where_its_connection_broke(scripted: ScriptedServer) -> None:
    scripted.answers = [
        pieces(b"abc", httpx.ReadError("reset")),
        httpx.ConnectError("refused"),
        pieces(b"de", httpx.ReadError("reset"), status=206),
        # Who knows no ranges begins anew.
        pieces(b"ab", b"cdef", b"g"),
    ]
    assert list(scripted.client().files.stream("file_1")) == [b"abc", b"de", b"f", b"g"]
    assert [each.headers.get("range") for each in scripted.heard] == [None, "bytes=3-", "bytes=3-", "bytes=5-"]
    assert {each.headers["accept-encoding"] for each in scripted.heard} == {"identity"}


def test_an_end_that_was_cut_is_the_end(scripted: ScriptedServer) -> None:
    scripted.answers = [pieces(b"abc", httpx.ReadError("reset")), problem(416, "range-unsatisfiable")]
    assert scripted.client().files.download("file_1") == b"abc"


def test_a_file_that_is_not_there_is_told(scripted: ScriptedServer) -> None:
    scripted.answers = [problem(404, "file-not-found")]
    with pytest.raises(EnvicutorError, match="file-not-found"):
        scripted.client().files.download("file_1")
