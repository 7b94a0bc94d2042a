"""
Owns the shapes of what is signed: the statement of a receipt, the list of agents' keys, their envelopes; as shared/model declares them, member by member.
Never looks at a value beyond its shape. Invariant: a closed shape accepts no member more and none less.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Optional

Shape = Callable[[object], bool]
_SAFE_INTEGER_MAX = 2**53 - 1


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _integer(value: object) -> bool:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return is_whole and not isinstance(value, bool)


def _count(value: object) -> bool:
    return _integer(value) and isinstance(value, (int, float)) and value >= 0


def _limit(value: object) -> bool:
    return _integer(value) and isinstance(value, (int, float)) and 1 <= value <= _SAFE_INTEGER_MAX


def _amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _matching(pattern: str) -> Shape:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _short(characters_max: int) -> Shape:
    return lambda value: isinstance(value, str) and len(value) <= characters_max


def _nullable(shape: Shape) -> Shape:
    return lambda value: value is None or shape(value)


def _one_of(*values: str) -> Shape:
    return lambda value: isinstance(value, str) and value in values


def _items(shape: Shape, items_min: int, items_max: int) -> Shape:
    return lambda value: (
        isinstance(value, list) and items_min <= len(value) <= items_max and all(shape(item) for item in value)
    )


def _closed(members: Mapping[str, Shape], optional: Optional[Mapping[str, Shape]] = None) -> Shape:
    shapes = {**members, **(optional or {})}

    def fits(value: object) -> bool:
        if not isinstance(value, dict) or not all(name in value for name in members):
            return False
        return all(name in shapes and shapes[name](item) for name, item in value.items())

    return fits


def _each(shape: Shape, *names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, shape)


_digest = _matching(r"sha256:[0-9a-f]{64}")
_timestamp = _matching(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
_VERDICTS = (
    *("ok", "nonzero-exit", "signaled", "cpu-time-exceeded", "wall-time-exceeded", "idle-time-exceeded"),
    *("memory-exceeded", "output-exceeded", "file-size-exceeded", "disk-exceeded", "start-failed"),
)
_LIMITS = (
    *("cpuTimeMs", "wallTimeMs", "idleTimeMs", "memoryBytes", "processes", "outputBytes", "fileSizeBytes"),
    *("openFiles", "stackBytes", "diskBytes", "diskInodes"),
)
_verdict = _one_of(*_VERDICTS)
_execution_verdict = _one_of(*_VERDICTS, "accepted", "wrong-answer", "checker-failed")
_limits = _closed(_each(_limit, *_LIMITS))

_usage = _closed(
    {
        **_each(_amount, "cpuTimeMs", "cpuUserMs", "cpuSystemMs", "wallTimeMs", "throttledMs"),
        **_each(_count, "memoryPeakBytes", "processesPeak", "outputBytes", "diskBytes", "voluntarySwitches"),
        **_each(_count, "involuntarySwitches", "oomKills"),
    }
)

_script = _closed(
    {
        "verdict": _verdict,
        "exitCode": _nullable(_integer),
        "signal": _nullable(_text),
        "exceeded": _nullable(_closed({"limit": _one_of(*_LIMITS), **_each(_count, "allowed", "observed")})),
        "start": _nullable(_closed(_each(_text, "step", "errno", "detail"))),
        "limits": _limits,
        "usage": _usage,
        **_each(_digest, "stdout", "stderr"),
        **_each(_flag, "stdoutTruncated", "stderrTruncated"),
        "startedAt": _nullable(_timestamp),
        "endedAt": _timestamp,
        "slot": _nullable(_count),
    }
)

_tests = _closed(
    {
        "results": _digest,
        "limits": _limits,
        "check": _nullable(_closed({"layers": _items(_digest, 0, 64), "compile": _nullable(_limits), "run": _limits})),
    }
)

is_statement = _closed(
    {
        "version": lambda value: _integer(value) and value == 1,
        **_each(_text, "execution", "tenant", "lease", "agent"),
        "fence": _count,
        **_each(_timestamp, "acceptedAt", "completedAt"),
        "request": _digest,
        "layers": _items(_digest, 0, 64),
        "verdict": _nullable(_execution_verdict),
        "endedIn": _nullable(_one_of("compile", "run", "tests", "check")),
        **_each(_nullable(_script), "compile", "run"),
        "failure": _nullable(_short(100)),
    },
    {"tests": _tests},
)
"""Is this a statement of a receipt?"""

is_agent_key_list = _closed(
    {
        "version": _limit,
        "issuedAt": _timestamp,
        "keys": _items(_closed(_each(_text, "keyid", "publicKey")), 1, 16),
        "agents": _items(
            _closed(
                {
                    "agentId": _matching(r"agent_[0-9a-z]{8,64}"),
                    "name": _short(128),
                    "pool": _text,
                    "publicKey": _short(256),
                    "enrolledAt": _timestamp,
                },
                {"retiredAt": _timestamp},
            ),
            0,
            100_000,
        ),
    }
)
"""Is this a list of agents' keys?"""

is_envelope = _closed(
    {
        **_each(_text, "payloadType", "payload"),
        "signatures": _items(_closed(_each(_text, "keyid", "sig")), 1, 8),
    }
)
"""Is this an envelope?"""
