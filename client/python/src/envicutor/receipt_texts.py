"""
Owns the texts whose digests a receipt states: what was asked for, and what is told of tests; as agents and coordinators make them (docs/receipts.md).
Never compares anything. Requests and answers are JSON here, as they are on the wire.
Invariant: a member that a later version adds is absent where it is not used, so that today's requests keep their digest for ever.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Optional

from .canonical import canonical_text, from_base64, number_text

Json = Mapping[str, Any]
_TOLERANCE_DEFAULT = 1e-9


def digest_of(content: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_of_text(text: str, encoding: str) -> str:
    """Of the bytes that stand behind a text; raises ValueError for what is none."""
    content = text.encode() if encoding == "utf8" else from_base64(text) if encoding == "base64" else None
    if content is None:
        raise ValueError(f"what should be {encoding} is not")
    return digest_of(content)


class AskedTexts:
    """Writes what was asked for; what the request only names by an id is told besides."""

    def __init__(
        self,
        variables: Mapping[str, str],
        check_variables: Mapping[str, str],
        file_digests: Mapping[str, str],
    ) -> None:
        self._variables = variables
        self._check_variables = check_variables
        self._file_digests = file_digests

    def digest(self, request: Json) -> str:
        """Of everything that the scripts see and their client gave; raises KeyError, TypeError or ValueError for what is no request."""
        of_environment = _variables_of(request["environment"], self._variables)
        compile, run = request.get("compile"), request["run"]
        asked: dict[str, Any] = {
            "version": 1,
            "files": [self._file(file) for file in request.get("files", [])],
            "compile": None if compile is None else _script(compile, of_environment),
            "run": {
                **_script(run, of_environment),
                "arguments": run.get("arguments", []),
                "stdin": self._input(run.get("stdin", ""), run.get("stdinEncoding", "utf8")),
            },
        }
        if "tests" in request:
            asked["tests"] = self._tests(request, of_environment)
        return digest_of(canonical_text(asked).encode())

    def _tests(self, request: Json, of_environment: Mapping[str, str]) -> Json:
        return {
            "cases": [self._case(case, index, request["run"]) for index, case in enumerate(request["tests"])],
            "requires": {group["name"]: group.get("requires", []) for group in request.get("groups", [])},
            "stopAfterFailures": request.get("stopAfterFailures", 0),
            "check": self._check(request.get("check", {"kind": "lines"}), of_environment),
        }

    def _case(self, case: Json, index: int, run: Json) -> Json:
        expected = case.get("expected")
        # With an input goes its encoding.
        given = case if "stdin" in case else run
        return {
            "name": case.get("name", str(index + 1)),
            "stdin": self._input(given.get("stdin", ""), given.get("stdinEncoding", "utf8")),
            "arguments": case.get("arguments", run.get("arguments", [])),
            "expected": None if expected is None else self._input(expected, case.get("expectedEncoding", "utf8")),
            "group": case.get("group"),
        }

    def _check(self, check: Json, of_environment: Mapping[str, str]) -> Json:
        if "run" not in check:
            return {"kind": check["kind"], "tolerance": number_text(check.get("tolerance", _TOLERANCE_DEFAULT))}
        own = check.get("environment")
        variables = of_environment if own is None else _variables_of(own, self._check_variables)
        compile, run = check.get("compile"), check["run"]
        return {
            "kind": check["kind"],
            "files": [self._file(file) for file in check.get("files", [])],
            "compile": None if compile is None else _script(compile, variables),
            "run": {**_script(run, variables), "arguments": run.get("arguments", [])},
        }

    def _file(self, file: Json) -> Json:
        text, encoding = (file["file"], "file") if "file" in file else (file["content"], file.get("encoding", "utf8"))
        content = self._input(text, encoding)
        return {"path": file["path"], "content": content, "executable": file.get("executable", False)}

    def _input(self, text: str, encoding: str) -> str:
        return f"sha256:{self._file_digests[text]}" if encoding == "file" else digest_of_text(text, encoding)


def _variables_of(environment: Any, known: Mapping[str, str]) -> Mapping[str, str]:
    return known if isinstance(environment, str) else environment.get("variables", {})


def _script(script: Json, of_environment: Mapping[str, str]) -> dict[str, Any]:
    return {"script": script["script"], "variables": {**of_environment, **script.get("variables", {})}}


def told_script(report: Optional[Json]) -> Optional[dict[str, Any]]:
    """What a report tells, with digests of its output."""
    if report is None:
        return None
    names = ("verdict", "exitCode", "signal", "exceeded", "start", "usage")
    marks = ("stdoutTruncated", "stderrTruncated", "startedAt", "endedAt", "slot")
    outputs = {name: digest_of_text(report[name], report[f"{name}Encoding"]) for name in ("stdout", "stderr")}
    return {**{name: report[name] for name in (*names, *marks)}, **outputs}


def judged_digest(execution: Json) -> Optional[str]:
    """Digest of what an answer tells of its tests; None: it tells nothing that an agent states."""
    tests, check = execution.get("tests", []), execution.get("check")
    compiled = None if check is None else check["compile"]
    # What did not come to its tests shows them as skipped, and no agent states anything about them.
    is_judged = compiled is not None or any(test["outcome"] != "skipped" for test in tests)
    if not tests or execution["stage"] != "finished" or not is_judged:
        return None
    told = {"tests": [_told_test(test) for test in tests], "compile": _plain(told_script(compiled), number_text)}
    return digest_of(canonical_text(told).encode())


def _told_test(test: Json) -> Json:
    said = test["check"]
    return {
        "name": test["name"],
        "outcome": test["outcome"],
        "script": _plain(told_script(test["report"]), number_text),
        "check": None
        if said is None
        else {
            "message": said["message"],
            "score": number_text(said["score"]),
            "script": _plain(told_script(said["report"]), number_text),
        },
    }


def _plain(value: Any, of_number: Callable[[Any], str]) -> Any:
    """Numbers as their own text: durations have fractions."""
    if isinstance(value, Mapping):
        return {name: _plain(item, of_number) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, of_number) for item in value]
    return of_number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
