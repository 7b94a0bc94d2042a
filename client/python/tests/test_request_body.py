"""
Owns how requests are written for the wire: names, short forms, bytes, files of this machine; and that nothing of the program's own names changes.
"""

from pathlib import Path
from typing import Any

import pytest

from envicutor.models import CollectedFile, StoredFile
from envicutor.request_body import to_body
from envicutor.transfers import to_sent

STORED = StoredFile(id="file_1", sha256="00", bytes=2, expires_at="2026-11-28T12:00:00Z")


def test_short_forms_stand_for_what_the_api_takes() -> None:
    body = to_body(
        {
            "environment": {"setup": "apt-get update", "variables": {"MY_NAME": "x_y"}},
            "compile": "make",
            "run": "./main",
            "stdin": "1 2\n",
            "arguments": ("a", "b"),
            "limits": {"cpu_time_ms": 1000, "memoryBytes": 5},
            "check": "tokens",
            "webhook": "https://judge.example/hook",
            "metadata": {"my_key": {"inner_key": None}},
            "placement": {"exclusive_core": True, "labels": {"some_label": "x"}},
            "stop_after_failures": None,
        }
    )
    assert body == {
        "environment": {"setup": "apt-get update", "variables": {"MY_NAME": "x_y"}},
        "compile": {"script": "make"},
        "run": {
            "script": "./main",
            "stdin": "1 2\n",
            "arguments": ["a", "b"],
            "limits": {"cpuTimeMs": 1000, "memoryBytes": 5},
        },
        "check": {"kind": "tokens"},
        "webhook": {"url": "https://judge.example/hook"},
        "metadata": {"my_key": {"inner_key": None}},
        "placement": {"exclusiveCore": True, "labels": {"some_label": "x"}},
    }


def test_bytes_travel_as_base64_and_files_by_their_ids() -> None:
    left = CollectedFile(path="out", file="file_2", bytes=3)
    body = to_body(
        {
            "run": {"script": "./main", "stdin": STORED},
            "files": {
                "a": "text",
                "b": b"\x00\xff",
                "c": STORED,
                "d": left,
                "e": {"content": b"x", "executable": True},
            },
            "tests": [{"stdin": b"\xff", "expected": "x"}, {"stdin": "y", "expected": left, "expected_encoding": None}],
            "check": {"kind": "program", "run": "./check", "files": [{"path": "check", "content": bytearray(b"x")}]},
        }
    )
    assert body["run"] == {"script": "./main", "stdin": "file_1", "stdinEncoding": "file"}
    assert body["files"] == [
        {"path": "a", "content": "text"},
        {"path": "b", "content": "AP8=", "encoding": "base64"},
        {"path": "c", "file": "file_1"},
        {"path": "d", "file": "file_2"},
        {"path": "e", "content": "eA==", "encoding": "base64", "executable": True},
    ]
    assert body["tests"] == [
        {"stdin": "/w==", "stdinEncoding": "base64", "expected": "x"},
        {"stdin": "y", "expected": "file_2", "expectedEncoding": "file"},
    ]
    assert body["check"] == {
        "kind": "program",
        "run": {"script": "./check"},
        "files": [{"path": "check", "content": "eA==", "encoding": "base64"}],
    }


def test_a_path_is_read_with_what_it_may(tmp_path: Path) -> None:
    text, program = tmp_path / "text", tmp_path / "program"
    text.write_text("grüß dich\n")
    program.write_bytes(b"\x7fELF\xff")
    program.chmod(0o755)
    files = to_body({"run": "true", "files": {"text": text, "program": program}})["files"]
    assert files == [
        {"path": "text", "content": "grüß dich\n"},
        {"path": "program", "content": "f0VMRv8=", "encoding": "base64", "executable": True},
    ]
    with pytest.raises(FileNotFoundError):
        to_body({"run": "true", "files": {"x": tmp_path / "missing"}})


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"run": {"script": "x", "stdin": "a"}, "stdin": "b"}, "'stdin' is given twice"),
        ({"run": "x", "stdin": 3}, "'stdin' is int"),
        ({"run": "x", "files": {"a": 3}}, "the file 'a' is int"),
        ({"run": "x", "files": "a"}, "'files' is str"),
    ],
)
def test_what_can_not_be_written_is_named(request_: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        to_body(request_)


def test_a_slip_reaches_the_server_which_names_what_was_meant() -> None:
    assert to_body({"run": "x", "limits": {"cpu_tiem_ms": 1}})["run"]["limits"] == {"cpuTiemMs": 1}


def test_what_can_be_read_again_is_known(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 100_000)
    with path.open("rb") as file:
        file.seek(10)
        for content, start in ((path, 0), (file, 10)):
            source = to_sent(content)
            assert not isinstance(source, bytes)
            assert source.is_repeatable
            for _ in range(2):
                assert b"".join(source.open()) == path.read_bytes()[start:]  # type: ignore[arg-type]
    once = to_sent(iter([b"a", b"b"]))
    assert not isinstance(once, bytes)
    assert not once.is_repeatable
    assert (to_sent("ü"), to_sent(b"x")) == ("ü".encode(), b"x")
