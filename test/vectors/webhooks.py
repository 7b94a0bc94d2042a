"""
Makes webhooks.json beside it: secrets, attempts and their signatures by the Standard Webhooks scheme, and secrets as an instance key gives them.
Knows nothing of the project but what docs/webhooks.md says: Python's own library alone.
Run it only to look at how the vectors came about: they are never edited, another form is another version with vectors of its own.
"""
import base64
import hashlib
import hmac
import json
import pathlib


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def text(data):
    return base64.b64encode(data).decode()


def secret_of(instance_key, tenant, generation):
    key = mac(instance_key, b"webhooks")
    return mac(key, json.dumps([tenant, generation], separators=(",", ":")).encode())


def sign(secret, attempt):
    head = f"{attempt['id']}.{attempt['timestamp']}.".encode()
    return "v1," + text(mac(secret, head, attempt["body"].encode()))


instance_key = bytes(range(32))
execution = {"id": "exec_0123456789abcdef", "stage": "finished", "verdict": "ok"}
event = {"type": "execution.finished", "timestamp": "2026-11-28T10:00:00.000Z", "data": execution}
attempts = [
    {"id": "delivery_1", "timestamp": 1795860000, "body": json.dumps(event, separators=(",", ":"))},
    {"id": "delivery_2", "timestamp": 1795860001, "body": json.dumps({**event, "data": {**execution, "run": {"stdout": "ü\n😀"}}}, ensure_ascii=False)},
]
vectors = {
    "instanceKey": instance_key.hex(),
    "secrets": [
        {"tenant": tenant, "generation": generation, "secret": "whsec_" + text(secret_of(instance_key, tenant, generation))}
        for tenant in ["local", "contest-site"]
        for generation in [1, 2]
    ],
    "attempts": [
        {**attempt, "signatures": {str(n): sign(secret_of(instance_key, "contest-site", n), attempt) for n in [1, 2]}}
        for attempt in attempts
    ],
}
pathlib.Path(__file__).with_name("webhooks.json").write_text(json.dumps(vectors, indent=2, ensure_ascii=False) + "\n")
