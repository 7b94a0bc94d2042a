"""
Owns that every block of Python in docs/python.md runs as it stands beside a server and prints what the page shows.
Never runs two at a time: each is a program of its own.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY, RunningServer

PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
URL = "http://127.0.0.1:7070"


def test_no_block_is_passed_over() -> None:
    assert len(BLOCKS) == PAGE.count("```python\n") > 5
    assert all(URL in source or "verify_" in source for source, _ in BLOCKS)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_prints_what_the_page_shows(server: RunningServer, number: int, tmp_path: Path) -> None:
    source, shown = BLOCKS[number]
    (tmp_path / "main.sh").write_text("echo from a file\n")
    (tmp_path / "signing-key-id").write_text("\n".join(server.signing_key_ids()))
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", source.replace(URL, server.url)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, shown, ""), source
