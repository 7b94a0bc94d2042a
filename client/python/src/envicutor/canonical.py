"""
Owns the one text of a value in JSON, as JavaScript writes it and as canonical JSON has it, and base64 that has one spelling.
Never digests anything. Invariant: two values never share a text, so that whoever has the value has its digest.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Optional, Union

_SAFE_INTEGER_MAX = 2**53 - 1
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def number_text(value: Union[int, float]) -> str:
    """A number as JavaScript writes it."""
    if isinstance(value, int) and abs(value) <= _SAFE_INTEGER_MAX:
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no number of JSON")
    if number == 0:
        return "0"
    # Both languages write the fewest digits that are read as the same number; they differ in where exponents begin.
    sign, digits, exponent = _decimal_of(number)
    return sign + _place_point(digits, exponent)


def _decimal_of(number: float) -> tuple[str, str, int]:
    """Sign, digits without zeros around them, and where the point is: 0.d1d2… times ten to that power."""
    sign = "-" if number < 0 else ""
    mantissa, _, power = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + ("" if fraction == "0" else fraction)
    point = len(whole) + int(power or 0)
    stripped = digits.lstrip("0")
    return sign, stripped.rstrip("0"), point - (len(digits) - len(stripped))


def _place_point(digits: str, point: int) -> str:
    """By the rules of ECMAScript's Number::toString."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def string_text(value: str) -> str:
    """A text as JSON of JavaScript: what is half a character stands as its code."""
    return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(value, ensure_ascii=False))


def json_text(value: Any) -> str:
    """A value as `JSON.stringify` writes it."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{string_text(name)}:{json_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(json_text(item) for item in value) + "]"
    return _scalar_text(value)


def canonical_text(value: Any) -> str:
    """Canonical JSON: members sorted by UTF-16 code units, no white space, integers only; raises ValueError for what it can't hold."""
    if isinstance(value, Mapping):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{string_text(name)}:{canonical_text(value[name])}" for name in names) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(canonical_text(item) for item in value) + "]"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and not (isinstance(value, int) and abs(value) <= _SAFE_INTEGER_MAX):
        raise ValueError(f"canonical JSON holds safe integers only, not {value}")
    return _scalar_text(value)


def _scalar_text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, (int, float)):
        return number_text(value)
    raise ValueError(f"JSON holds no {type(value).__name__}")


def from_base64(text: str) -> Optional[bytes]:
    """Bytes of the standard alphabet, padded; None when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def from_canonical_base64(text: str) -> Optional[bytes]:
    """The same, and None when these bytes have another canonical text."""
    content = from_base64(text)
    return content if content is not None and base64.b64encode(content).decode() == text else None


def from_canonical_base64url(text: str) -> Optional[bytes]:
    """The same in the alphabet of URLs, without padding."""
    if re.search(r"[^A-Za-z0-9_-]", text):
        return None
    standard = text.replace("-", "+").replace("_", "/")
    return from_canonical_base64(standard + "=" * (-len(standard) % 4))
