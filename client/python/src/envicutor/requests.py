"""
Owns what a program may ask for, as types: names are those of the API in snake case, and shorter forms stand where they are plain.
Never holds how a request is written for the wire (request_body.py). Invariant: every member that the API takes is here;
tests/test_declarations.py compares both.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Union

from .models import CollectedFile, Environment, StoredFile

Content = Union[str, bytes, StoredFile, CollectedFile]
"""Text; bytes, which travel as base64; or a file that was sent or left before, by its name for the server."""


class Limits(TypedDict, total=False):
    """Limits of one script; what is missing has the operator's default, and more than the operator's maximum is refused."""

    cpu_time_ms: int
    """Processor time of all descendants, milliseconds."""
    wall_time_ms: int
    """Real time from the successful exec, milliseconds."""
    idle_time_ms: int
    """Wall time minus processor time of the whole run, milliseconds."""
    memory_bytes: int
    """Everything charged to the program, files in memory included; bytes."""
    processes: int
    """Processes and threads at a time."""
    output_bytes: int
    """Each of stdout and stderr by itself; bytes."""
    file_size_bytes: int
    """The largest file that the program may write; bytes."""
    open_files: int
    """Open descriptors of each process."""
    stack_bytes: int
    """Stack of the main thread of each process; bytes."""
    disk_bytes: int
    """Everything writable together; bytes."""
    disk_inodes: int
    """Files, directories and links in everything writable."""


class FileSpec(TypedDict, total=False):
    """A file of a workspace: `content`, or `file`, the id of one that was sent before."""

    content: Union[str, bytes, Path]
    """A Path is read when the request is made."""
    encoding: Literal["utf8", "base64"]
    """Of a text; bytes need none."""
    file: Union[str, StoredFile, CollectedFile]
    executable: bool
    """May it be executed? Default: no; for a Path: as it is there."""


class _PathRequired(TypedDict):
    path: str


class InputFile(_PathRequired, FileSpec, total=False):
    """The same with its place in the workspace: relative, without `.` and `..`."""


FileContent = Union[Content, Path, FileSpec]
"""What stands at a place of a workspace."""
WorkspaceFiles = Union[Mapping[str, FileContent], Sequence[InputFile]]
"""The files of a workspace, by their paths or as a list."""


class EnvironmentRequest(TypedDict, total=False):
    """What code runs in: scripts 1 (setup) and 2 (dependencies), which have the build network."""

    base: str
    """What it is built on; default: the operator's first (`client.environments.bases()`)."""
    setup: str
    """Installs compilers and packages, as root of its own."""
    dependencies: str
    """Installs libraries."""
    files: WorkspaceFiles
    """What both read."""
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    """Seen by the build only; they make the environment private."""
    verify: str
    """Must exit 0, without network, before it is used."""
    visibility: Literal["private", "shareable"]
    fresh: bool
    """Build it again, even if there is one."""
    limits: Limits


class _ScriptRequired(TypedDict):
    script: str


class CompileRequest(_ScriptRequired, total=False):
    """A script that is run before others; what it leaves in the workspace they see."""

    variables: Mapping[str, str]
    limits: Limits


class RunScript(_ScriptRequired, total=False):
    """Script 4: the program itself, without any network."""

    arguments: Sequence[str]
    stdin: Content
    stdin_encoding: Literal["utf8", "base64", "file"]
    """Of a text; bytes and files need none."""
    variables: Mapping[str, str]
    limits: Limits
    collect: Sequence[str]
    """Patterns of paths that are kept when it is over: `out/*.png`."""


class TestCase(TypedDict, total=False):
    """One run of the run script, with an input of its own."""

    name: str
    """Default: its number, from 1."""
    stdin: Content
    stdin_encoding: Literal["utf8", "base64", "file"]
    arguments: Sequence[str]
    expected: Content
    """What its output is held against, or what a check program finds as the answer."""
    expected_encoding: Literal["utf8", "base64", "file"]
    group: str
    """The subtask that it belongs to."""
    weight: float
    """Points; default 1."""


class _NameRequired(TypedDict):
    name: str


class TestGroup(_NameRequired, total=False):
    """A subtask: points for all of its tests together."""

    points: float
    """Default: its tests' weights together."""
    requires: Sequence[str]
    """Groups before it without which its tests are skipped."""


class _ComparisonRequired(TypedDict):
    kind: Literal["exact", "lines", "tokens", "float"]


class Comparison(_ComparisonRequired, total=False):
    """How output is compared without a program (docs/judging.md)."""

    tolerance: float
    """For `float`: absolute or relative; default 1e-9."""


class CheckRun(_ScriptRequired, total=False):
    """Decides about one test; its last arguments are the paths of input, output and answer."""

    arguments: Sequence[str]
    variables: Mapping[str, str]
    limits: Limits


class _CheckProgramRequired(TypedDict):
    kind: Literal["program", "interactor"]
    run: Union[str, CheckRun]


class CheckProgram(_CheckProgramRequired, total=False):
    """A program that decides, by testlib's convention."""

    environment: Union[str, EnvironmentRequest, Environment]
    """Default: the solution's."""
    files: WorkspaceFiles
    compile: Union[str, CompileRequest]


class PlacementRequest(TypedDict, total=False):
    """Where an execution may run, and how long it may wait."""

    pool: str
    labels: Mapping[str, str]
    architecture: Literal["x86_64", "aarch64"]
    exclusive_core: bool
    """Only on processors which no other execution uses."""
    deadline_ms: int
    """How long it may wait for an agent; what would wait longer is refused at once. Milliseconds."""


class _UrlRequired(TypedDict):
    url: str


class WebhookRequest(_UrlRequired, total=False):
    """Where and of what a receiver is told."""

    events: Sequence[Literal["finished"]]


class _RunRequired(TypedDict):
    run: Union[str, RunScript]


class ExecutionRequest(_RunRequired, total=False):
    """What is run; `run` alone is enough. All of it are arguments of `client.run` and `client.submit`, and members of what `client.batch` takes."""

    environment: Union[str, EnvironmentRequest, Environment]
    """The id of one, what it is made of, or one that was ensured; default: the default base alone."""
    files: WorkspaceFiles
    """What the workspace holds."""
    compile: Union[str, CompileRequest]
    """Script 3: what it leaves in the workspace every run sees, and none changes."""
    stdin: Content
    """Short for `run={"stdin": …}`: what the script reads; default: nothing."""
    arguments: Sequence[str]
    """Short for `run={"arguments": …}`."""
    variables: Mapping[str, str]
    """Short for `run={"variables": …}`: environment variables of the run script."""
    limits: Limits
    """Short for `run={"limits": …}`."""
    collect: Sequence[str]
    """Short for `run={"collect": …}`."""
    interactive: bool
    """The run script gets a terminal; attach to it by `terminal_ticket()` and WebSocket (docs/terminal.md)."""
    tests: Sequence[TestCase]
    """The run script runs once for each."""
    groups: Sequence[TestGroup]
    """Subtasks that tests belong to."""
    check: Union[Literal["exact", "lines", "tokens", "float"], Comparison, CheckProgram]
    """Who decides whether a test is accepted; default: lines are compared."""
    stop_after_failures: int
    """Tests after so many failures are skipped; 0: none."""
    tests_at_once: int
    """Tests that may run at a time; default 1."""
    placement: PlacementRequest
    metadata: Mapping[str, Any]
    """Anything JSON of at most 4 KiB; returned as given."""
    webhook: Union[str, WebhookRequest]
