"""
Owns what a receiver checks of a webhook before it believes it: the signature by the Standard Webhooks scheme, over the bytes as they came, and its time.
Never parses a body that nobody signed. Signatures are compared in a time that tells nothing.
A receiver remembers ids of what it has taken: a delivery may come twice, under the same id.
"""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Optional, Union

from .answers import parse_json, to_answer
from .errors import EnvicutorError
from .models import Execution

WEBHOOK_PROBLEMS: Mapping[str, str] = MappingProxyType(
    {
        "headers-missing": "webhook-id, webhook-timestamp and webhook-signature are not all there, or not of their form",
        "secret-malformed": "a secret is not whsec_ and base64",
        "timestamp-too-old": "it was signed longer ago than is allowed: somebody may have kept it",
        "timestamp-too-new": "it was signed later than now, by more than is allowed: a clock is wrong",
        "signature-wrong": "none of its signatures was made with a given secret over this body",
        "body-malformed": "what was signed is no event of this API",
    }
)
"""Every reason with its sentence."""

_SECRET_PREFIX = "whsec_"
_SIGNATURES_MAX = 16


class WebhookRejected(ValueError):
    """A webhook that is not to be believed."""

    reason: str
    """One of `WEBHOOK_PROBLEMS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {WEBHOOK_PROBLEMS[self.reason]}"


@dataclass(frozen=True)
class WebhookEvent:
    """What a receiver is told."""

    delivery_id: str
    """The same whenever a delivery comes again."""
    type: Literal["execution.finished"]
    timestamp: str
    """When it happened; ISO 8601 in UTC."""
    data: Execution


def verify_webhook(
    headers: Mapping[str, str],
    body: Union[str, bytes],
    secret: Union[str, Sequence[str]],
    *,
    tolerance_seconds: float = 300.0,
    now: Optional[float] = None,
) -> WebhookEvent:
    """What was told, if it is to be believed; raises WebhookRejected.

    `headers` of the request as a framework gives them, under any spelling; `body` as it came, before anybody parsed it; `secret` of the tenant, several
    while one replaces another. `now` in seconds since 1970; default: this machine's clock.
    """
    content = body.encode() if isinstance(body, str) else bytes(body)
    id, timestamp, given = (_header_of(headers, f"webhook-{part}") for part in ("id", "timestamp", "signature"))
    if not id or not given or not re.fullmatch("[0-9]{1,12}", timestamp):
        raise WebhookRejected("headers-missing")
    age = (time.time() if now is None else now) - int(timestamp)
    if age > tolerance_seconds:
        raise WebhookRejected("timestamp-too-old")
    if age < -tolerance_seconds:
        raise WebhookRejected("timestamp-too-new")
    keys = [_to_key(each) for each in ([secret] if isinstance(secret, str) else secret)]
    signed = f"{id}.{timestamp}.".encode() + content
    if not _is_signed_by_any(keys, given, signed):
        raise WebhookRejected("signature-wrong")
    return _to_event(id, content)


def _header_of(headers: Mapping[str, str], name: str) -> str:
    # Names are written in whatever way a framework likes.
    return next((value for given, value in headers.items() if given.lower() == name and isinstance(value, str)), "")


def _to_key(secret: str) -> bytes:
    key = _from_base64(secret.removeprefix(_SECRET_PREFIX))
    if not key:
        raise WebhookRejected("secret-malformed")
    return key


def _from_base64(text: str) -> Optional[bytes]:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_signed_by_any(keys: Sequence[bytes], given: str, signed: bytes) -> bool:
    # Signatures of a later scheme are somebody else's to read.
    texts = [text[3:] for text in given.split(" ")[:_SIGNATURES_MAX] if text.startswith("v1,")]
    signatures = [signature for signature in map(_from_base64, texts) if signature is not None]
    is_signed = False
    for key in keys:
        expected = hmac.new(key, signed, hashlib.sha256).digest()
        for signature in signatures:
            is_signed |= hmac.compare_digest(signature, expected)
    return is_signed


def _to_event(id: str, content: bytes) -> WebhookEvent:
    try:
        event = parse_json(content)
        if event["type"] != "execution.finished" or not isinstance(event["timestamp"], str):
            raise WebhookRejected("body-malformed")
        return WebhookEvent(id, "execution.finished", event["timestamp"], to_answer(Execution, event["data"]))
    except (EnvicutorError, KeyError, TypeError) as error:
        raise WebhookRejected("body-malformed") from error
