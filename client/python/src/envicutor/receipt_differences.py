"""
Owns how a receipt's statement differs from what is known from elsewhere: answer, request, tenant. Never looks at a signature.
Invariant: everything that an answer tells of a script is compared with something; the first difference is named.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Optional

Json = Mapping[str, Any]


def find_difference(statement: Json, told: Json) -> Optional[str]:
    """The name of the first difference, or None. What is absent in `told` is not known."""
    for name in ("agent", "execution", "tenant", "request"):
        if name in told and statement[name] != told[name]:
            return f"{name}-differs"
    if statement["layers"] != told["layers"]:
        return "layers-differ"
    if statement["verdict"] != told["verdict"]:
        return "verdict-differs"
    if statement["endedIn"] != told["endedIn"] or statement["failure"] != told["failure"]:
        return "ending-differs"
    if not _is_in_order(statement["acceptedAt"], statement["completedAt"]):
        return "times-differ"
    limits = told.get("limits")
    for script in ("compile", "run"):
        asked = None if limits is None else limits[script]
        difference = _find_script_difference(statement[script], told[script], asked)
        if difference is not None:
            return difference
    return _find_tests_difference(statement.get("tests"), told["tests"], limits)


def _is_in_order(first: str, second: str) -> bool:
    """Of the 32nd of a month nothing is true, and no retirement would be before it."""
    try:
        return to_moment(first) <= to_moment(second)
    except ValueError:
        return False


def to_moment(timestamp: str) -> datetime:
    """A timestamp of the API; raises ValueError for a day that there is not."""
    whole, _, fraction = timestamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(fraction + '000000')[:6]}+00:00")


def _find_script_difference(stated: Optional[Json], told: Optional[Json], asked: Optional[Json]) -> Optional[str]:
    if stated is None or told is None:
        return None if stated is None and told is None else "ending-differs"
    groups = {
        "verdict-differs": ("verdict",),
        "usage-differs": ("usage",),
        "output-differs": ("stdout", "stderr", "stdoutTruncated", "stderrTruncated"),
        "times-differ": ("startedAt", "endedAt"),
        "ending-differs": ("exitCode", "signal", "exceeded", "start", "slot"),
    }
    for reason, names in groups.items():
        if any(not _is_same(stated[name], told[name]) for name in names):
            return reason
    return None if _is_within(asked, stated["limits"]) else "limits-differ"


def _find_tests_difference(stated: Optional[Json], told: Optional[str], limits: Optional[Json]) -> Optional[str]:
    if stated is None or told is None:
        return None if stated is None and told is None else "tests-differ"
    if stated["results"] != told:
        return "tests-differ"
    if limits is None:
        return None
    check, asked = stated["check"] or {}, limits["check"] or {}
    pairs = (
        (limits["run"], stated["limits"]),
        (asked.get("compile"), check.get("compile")),
        (asked.get("run"), check.get("run")),
    )
    return None if all(_is_within(*pair) for pair in pairs) else "limits-differ"


def _is_within(asked: Optional[Json], in_force: Optional[Json]) -> bool:
    """Is everything that was asked for in force?"""
    return all(_is_same((in_force or {}).get(name), value) for name, value in (asked or {}).items())


def _is_same(one: Any, other: Any) -> bool:
    """Are two values of JSON the same? True is no 1 there."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)
