"""
Owns the way of answers from JSON into the classes of models/ and back, by their members' types.
Never refuses what a later server says besides: members that are not known here are passed over, and so are new choices of a text.
Invariant: what is there has the type that its class says, so that a proxy's page never passes for an answer.
"""

import dataclasses
import json
import re
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, Union, cast

from .errors import EnvicutorError

Answer = TypeVar("Answer")
Reader = Callable[[Any], Any]


def to_camel(name: str) -> str:
    """The name on the wire of what is called so in Python: `cpu_time_ms` is `cpuTimeMs`."""
    return re.sub(r"(?<=[A-Za-z0-9])_([a-z0-9])", lambda match: match[1].upper(), name)


def parse_json(content: Union[bytes, str]) -> Any:
    """The value of an answer's bytes; raises `answer-malformed`."""
    try:
        return json.loads(content)
    except ValueError as error:
        raise EnvicutorError("answer-malformed", "the answer is no JSON") from error


def to_answer(kind: type[Answer], value: object) -> Answer:
    """The answer of this class; raises `answer-malformed` when the value is none."""
    try:
        return cast(Answer, _reader_of(cast(Any, kind))(value))
    except _Unfit as error:
        raise EnvicutorError("answer-malformed", f"what came is no {kind.__name__}: {error}") from error


def to_json(answer: object) -> Any:
    """The answer as the API tells it, for keeping it or sending it on: names of the wire, null for None."""
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return {
            to_camel(member.name): to_json(value)
            for member in dataclasses.fields(answer)
            # What has a default is absent where there is nothing.
            if (value := getattr(answer, member.name)) is not None or member.default is dataclasses.MISSING
        }
    if isinstance(answer, tuple):
        return [to_json(item) for item in answer]
    return answer


class _Unfit(Exception):
    """A value that is not of its type; the message says where."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_SCALARS: Mapping[object, Callable[[object], bool]] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: _is_number,
    float: _is_number,
}


@cache
def _reader_of(kind: Any) -> Reader:
    """How a value of this type is read."""
    if dataclasses.is_dataclass(kind):
        return _read_class(kind)
    if kind in _SCALARS:
        return _read_scalar(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:
        return _read_union(arguments)
    if origin is tuple:
        return _read_list(_reader_of(arguments[0]))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _read_mapping(_reader_of(arguments[1]))
    return lambda value: value


def _read_class(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    members = [
        (member.name, to_camel(member.name), _reader_of(hints[member.name]), member.default is dataclasses.MISSING)
        for member in dataclasses.fields(kind)
    ]

    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise _Unfit(f"{_show(value)} is no object")
        given: dict[str, Any] = {}
        for name, wire, reader, is_required in members:
            if wire not in value:
                if is_required:
                    raise _Unfit(f"it lacks '{wire}'")
                continue
            try:
                given[name] = reader(value[wire])
            except _Unfit as error:
                raise _Unfit(f"{wire}: {error}") from None
        return kind(**given)

    return read


def _read_scalar(kind: Any) -> Reader:
    fits = _SCALARS[kind]

    def read(value: object) -> object:
        if not fits(value):
            raise _Unfit(f"{_show(value)} is no {kind.__name__}")
        return value

    return read


def _read_union(choices: tuple[Any, ...]) -> Reader:
    is_nullable = type(None) in choices
    others = [choice for choice in choices if choice is not type(None)]
    # Choices between scalars and texts are not told apart: the value says what it is.
    reader = _reader_of(others[0]) if len(others) == 1 else lambda value: value

    def read(value: object) -> object:
        return None if value is None and is_nullable else reader(value)

    return read


def _read_list(reader: Reader) -> Reader:
    def read(value: object) -> object:
        if not isinstance(value, list):
            raise _Unfit(f"{_show(value)} is no list")
        return tuple(reader(item) for item in value)

    return read


def _read_mapping(reader: Reader) -> Reader:
    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise _Unfit(f"{_show(value)} is no object")
        return {name: reader(item) for name, item in value.items()}

    return read


def _show(value: object) -> str:
    return json.dumps(value)[:60]
