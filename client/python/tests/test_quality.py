"""
Owns what tools say about the client's sources: types hold strictly, from Python 3.10's point of view on, style is the one of pyproject.toml, and a program
that uses the client is checked by its types.
"""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def said_by(*words: str, cwd: Path = PROJECT) -> tuple[int, str]:
    ended = subprocess.run([sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "words", [("check", "--no-cache", "."), ("format", "--no-cache", "--check", ".")], ids=["check", "format"]
)
def test_ruff_has_nothing_to_say(words: tuple[str, ...]) -> None:
    assert said_by("ruff", *words)[0] == 0, said_by("ruff", *words)[1]


def test_types_hold_strictly_in_sources_and_tests(tmp_path: Path) -> None:
    code, said = said_by("mypy", "--cache-dir", str(tmp_path), "src", "tests")
    assert code == 0, said


PROGRAM = """
from envicutor import Envicutor, ExecutionEvent

def listen(event: ExecutionEvent) -> None:
    if event.type == "stdout":
        reveal_type(event.data)
    if event.type == "finished":
        reveal_type(event.data.verdict)

with Envicutor() as client:
    ended = client.run(run="true", limits={"cpu_time_ms": 1000}, on_event=listen)
    ended.run.stdout
    client.run(run="true", limits={"cpu_time": 1})
    client.run(script="true")
    client.run(run=3)
"""
EXPECTED = {
    6: 'Revealed type is "envicutor.models.event.OutputEvent"',
    8: "Literal['ok'] | Literal['nonzero-exit']",
    12: 'Item "None" of "Report | None" has no attribute "stdout"',
    13: 'Extra key "cpu_time" for TypedDict "Limits"',
    14: 'Unexpected keyword argument "script"',
    15: 'Argument "run" to "run" of "Envicutor" has incompatible type "int"',
}


def test_a_program_is_checked_by_the_types_of_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    code, said = said_by("mypy", "--strict", "--cache-dir", "cache", "program.py", cwd=tmp_path)
    assert code == 1
    for line, text in EXPECTED.items():
        assert any(each.startswith(f"program.py:{line}:") and text in each for each in said.splitlines()), (line, said)
