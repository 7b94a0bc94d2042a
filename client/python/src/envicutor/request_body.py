"""
Owns how a request is written for the wire: names in camel case, bytes as base64, short forms in full. Reads the files that a request names by a Path, and
nothing else. Never judges a request: the server does, and names what was probably meant.
Invariant: names that are the program's own (variables, labels, metadata) are never changed.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from .answers import to_camel
from .models import CollectedFile, Environment, StoredFile

_OWN_NAMES = frozenset({"variables", "secrets", "labels", "metadata"})
"""Members whose value has names of the program's choosing."""
_OF_RUN = ("stdin", "stdinEncoding", "arguments", "variables", "limits", "collect")
"""Short forms that belong to the run script."""
_SHORT = {"run": "script", "compile": "script", "check": "kind", "webhook": "url"}
"""What a text stands for where an object is expected."""


def to_body(request: Mapping[str, Any]) -> dict[str, Any]:
    """An execution's request as the API takes it."""
    body = _to_object(request)
    run = body.setdefault("run", {})
    for name in _OF_RUN:
        if name not in body:
            continue
        if name in run:
            raise TypeError(f"'{name}' is given twice, by itself and in 'run': leave one of them out")
        run[name] = body.pop(name)
    # Both what is asked for by its name and what it is made of may be absent: then it is the default base alone.
    return {"environment": {}, **body}


def to_environment_body(description: Mapping[str, Any]) -> dict[str, Any]:
    """An environment's description as the API takes it."""
    return _to_object(description)


def _to_object(value: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for given, item in value.items():
        name = to_camel(given)
        if item is None:
            continue
        if name in _OWN_NAMES:
            written[name] = dict(item)
        elif name == "files":
            written[name] = _to_files(item)
        elif name in ("stdin", "expected") and not isinstance(item, str):
            written[name], written[f"{name}Encoding"] = _to_content(item, name)
        elif name == "environment" and isinstance(item, Environment):
            written[name] = item.id
        elif name in _SHORT and isinstance(item, str):
            written[name] = {_SHORT[name]: item}
        else:
            written[name] = _to_value(item)
    return written


def _to_value(value: object) -> Any:
    if isinstance(value, Mapping):
        return _to_object(value)
    if isinstance(value, (list, tuple)):
        return [_to_value(item) for item in value]
    return value


def _to_content(value: object, place: str) -> tuple[str, str]:
    """The text and its encoding."""
    if isinstance(value, (StoredFile, CollectedFile)):
        return _id_of(value), "file"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode(), "base64"
    raise TypeError(f"'{place}' is {type(value).__name__}: give it str, bytes, or a file that was sent before")


def _id_of(file: object) -> str:
    if isinstance(file, StoredFile):
        return file.id
    return file.file if isinstance(file, CollectedFile) else cast(str, file)


def _to_files(files: object) -> list[dict[str, Any]]:
    if isinstance(files, Mapping):
        return [_to_file({"path": path, **_to_spec(path, content)}) for path, content in files.items()]
    if isinstance(files, Sequence) and not isinstance(files, (str, bytes)):
        return [_to_file(spec) for spec in files]
    raise TypeError(f"'files' is {type(files).__name__}: give it a dict of paths or a list of files")


def _to_spec(path: str, content: object) -> Mapping[str, Any]:
    if isinstance(content, Mapping):
        return content
    if isinstance(content, (StoredFile, CollectedFile)):
        return {"file": content}
    if isinstance(content, (str, bytes, bytearray, memoryview, Path)):
        return {"content": content}
    raise TypeError(f"the file '{path}' is {type(content).__name__}: give it str, bytes, a Path or a dict")


def _to_file(spec: Mapping[str, Any]) -> dict[str, Any]:
    written = {to_camel(name): value for name, value in spec.items() if value is not None}
    if "file" in written:
        return {**written, "file": _id_of(written["file"])}
    content = written.get("content")
    if isinstance(content, Path):
        if content.stat().st_mode & 0o111:
            written.setdefault("executable", True)
        content = content.read_bytes()
        try:
            written["content"] = content.decode()
        except UnicodeDecodeError:
            written["content"], written["encoding"] = _to_content(content, "content")
    elif content is not None and not isinstance(content, str):
        written["content"], written["encoding"] = _to_content(content, "content")
    return written
