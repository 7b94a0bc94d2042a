"""
Owns what a receiver believes: what was signed by the vectors that were made apart from the project (test/vectors/webhooks.py), and nothing else.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, Optional

from envicutor import WEBHOOK_PROBLEMS, WebhookRejected, verify_webhook
from scripted_server import execution

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
NOW = 1_795_860_000.0
BODY = json.dumps({"type": "execution.finished", "timestamp": "2026-11-28T10:00:00.000Z", "data": execution()})


def sign(body: str, secret: str = SECRET, id: str = "delivery_1", timestamp: int = int(NOW)) -> str:
    key = base64.b64decode(secret.replace("whsec_", ""))
    signed = hmac.new(key, f"{id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def headers(**changes: str) -> dict[str, str]:
    given = {"id": "delivery_1", "timestamp": str(int(NOW)), "signature": sign(BODY), **changes}
    return {f"Webhook-{name.title()}": value for name, value in given.items()}


def reason(given: Optional[dict[str, str]] = None, body: Any = BODY, secret: Any = SECRET, **options: Any) -> str:
    try:
        verify_webhook(headers() if given is None else given, body, secret, **{"now": NOW, **options})
    except WebhookRejected as rejected:
        told = rejected
    else:
        return "valid"
    assert str(told) == f"{told.reason}: {WEBHOOK_PROBLEMS[told.reason]}"
    return told.reason


def test_what_was_signed_is_believed_as_text_or_bytes_by_either_secret_of_a_rotation() -> None:
    event = verify_webhook(headers(), BODY, SECRET, now=NOW)
    assert (event.delivery_id, event.type, event.data.verdict) == ("delivery_1", "execution.finished", "ok")
    assert event.data.run is not None
    assert event.data.run.stdout == "hello\n"
    other = "whsec_" + base64.b64encode(b"another").decode()
    assert reason(body=BODY.encode(), secret=[other, SECRET]) == "valid"
    assert reason(headers(signature=f"v1a,AAAA {sign(BODY, other)} {sign(BODY)}")) == "valid"
    assert reason(secret=SECRET.replace("whsec_", "")) == "valid"


def test_signatures_are_those_of_the_vectors(vectors: Path) -> None:
    told = json.loads((vectors / "webhooks.json").read_text(encoding="utf-8"))
    secrets = {(each["tenant"], each["generation"]): each["secret"] for each in told["secrets"]}
    for attempt in told["attempts"]:
        for generation in (1, 2):
            given = {"id": attempt["id"], "timestamp": str(attempt["timestamp"])}
            marked = headers(**given, signature=attempt["signatures"][str(generation)])
            # Their bodies are no whole answers, which is looked at when the signature is right.
            assert reason(marked, attempt["body"], secrets["contest-site", generation]) == "body-malformed"
            assert reason(marked, attempt["body"], secrets["contest-site", 3 - generation]) == "signature-wrong"


def test_what_is_changed_old_or_of_another_is_not_believed() -> None:
    assert reason(body=BODY + " ") == "signature-wrong"
    assert reason(body="x") == "signature-wrong"
    assert reason(secret=[]) == "signature-wrong"
    assert reason(headers(id="delivery_2")) == "signature-wrong"
    assert reason(headers(timestamp=str(int(NOW) + 1))) == "signature-wrong"
    for signature in ("v1,", "v2,AAAA", sign(BODY)[3:], f"v1,{'A' * 43}=", "v1,%"):
        assert reason(headers(signature=signature)) == "signature-wrong", signature
    assert reason(now=NOW + 300) == "valid"
    assert reason(now=NOW + 300.001) == "timestamp-too-old"
    assert reason(now=NOW - 300.001) == "timestamp-too-new"
    assert reason(now=NOW + 11, tolerance_seconds=10) == "timestamp-too-old"


def test_what_is_not_of_its_form_is_named() -> None:
    for secret in ("whsec_%%", "whsec_", ""):
        assert reason(secret=secret) == "secret-malformed"
    for name in ("id", "timestamp", "signature"):
        assert reason(headers(**{name: ""})) == "headers-missing"
    for timestamp in ("-1", "1e3", " 1", "NaN", "١"):
        assert reason(headers(timestamp=timestamp)) == "headers-missing"
    assert reason({}) == "headers-missing"
    for body in ('{"type":"execution.finished"}', "[]", BODY.replace("execution.finished", "other"), "x"):
        assert reason(headers(signature=sign(body)), body) == "body-malformed", body
