"""
Owns that receipts are read as docs/receipts.md says: by the vectors that were made apart from the project (test/vectors/receipts.py).
"""

import base64
import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from envicutor.canonical import canonical_text, json_text
from envicutor.models import StoredFile
from envicutor.receipts import RECEIPT_PROBLEMS, ReceiptRejected, VerifiedReceipt, verify_receipt

# RFC 8032, 7.1, test 1.
AGENT = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)


@pytest.fixture
def vector(vectors: Path) -> Any:
    return json.loads((vectors / "receipts.json").read_text(encoding="utf-8"))


def verify(vector: Any, **changes: Any) -> VerifiedReceipt:
    given = {
        "execution": vector["answer"],
        "agent_keys": vector["agentKeys"],
        "signing_key_ids": [vector["signingKeyIds"]["present"]],
        "request": vector["request"],
        "tenant": "local",
    }
    return verify_receipt(**{**given, **changes})


def reason(vector: Any, **changes: Any) -> str:
    with pytest.raises(ReceiptRejected) as rejected:
        verify(vector, **changes)
    assert str(rejected.value) == f"{rejected.value.reason}: {RECEIPT_PROBLEMS[rejected.value.reason]}"
    return rejected.value.reason


def sign(text: str) -> str:
    payload = text.encode("utf-8", "surrogatepass")
    kind = b"application/vnd.envicutor.receipt+json"
    signature = AGENT.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (payload, signature))


def test_the_vector_is_verified_by_either_signing_key_of_the_rotation(vector: Any) -> None:
    for key in vector["signingKeyIds"].values():
        verified = verify(vector, signing_key_ids=[key])
        assert verified.statement == vector["statement"]
        assert (verified.agent["name"], verified.is_request_checked) == ("one", True)
        assert set(verified.agent_keys.signing_key_ids) == set(vector["signingKeyIds"].values())
    assert not verify(vector, request=None).is_request_checked


def test_a_request_is_compared_in_the_names_of_this_client_too(vector: Any) -> None:
    run = dict(vector["request"]["run"])
    limits = {"cpu_time_ms": run.pop("limits")["cpuTimeMs"]}
    assert verify(vector, request={**vector["request"], "run": run, "limits": limits}).is_request_checked
    assert reason(vector, request={**vector["request"], "run": run, "limits": {"cpu_time_ms": 1}}) == "limits-differ"
    assert reason(vector, request={**vector["request"], "files": []}) == "request-differs"
    assert reason(vector, request={"run": 3}) == "request-malformed"
    assert reason(vector, request={**vector["request"], "environment": "env_1"}) == "request-differs"
    variables = vector["request"]["environment"]["variables"]
    named = {**vector["request"], "environment": "env_1"}
    assert verify(vector, request=named, environment_variables=variables).is_request_checked
    filed = {**vector["request"], "files": [{"path": "main.c", "file": "file_1"}]}
    assert reason(vector, request=filed) == "request-malformed"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("id",), "exec_other", "execution-differs"),
        (("verdict",), "signaled", "verdict-differs"),
        (("endedIn",), "compile", "ending-differs"),
        (("run", "stdout"), "AAAA", "output-differs"),
        (("run", "stdoutTruncated"), True, "output-differs"),
        (("run", "exitCode"), 7, "ending-differs"),
        (("run", "slot"), True, "ending-differs"),
        (("run", "usage", "cpuTimeMs"), 99, "usage-differs"),
        (("run", "endedAt"), "2026-01-01T00:00:00.000Z", "times-differ"),
        (("run",), None, "ending-differs"),
        (("environment", "layers"), [], "layers-differ"),
        (("receipt",), None, "receipt-missing"),
        (("receipt",), "a.b", "receipt-malformed"),
        (("receipt",), 3, "answer-malformed"),
        (("agent", "id"), "agent_0000000000000000", "agent-unknown"),
        (("run", "stdoutEncoding"), "latin1", "answer-malformed"),
    ],
)
def test_an_answer_that_tells_something_else_is_not_proven(vector: Any, path: Any, value: Any, expected: str) -> None:
    answer = copy.deepcopy(vector["answer"])
    *outer, last = path
    place = answer
    for name in outer:
        place = place[name]
    place[last] = value
    assert reason(vector, execution=answer) == expected


def test_the_list_of_keys_is_believed_by_a_pinned_key_alone(vector: Any) -> None:
    assert reason(vector, signing_key_ids=[]) == "keys-not-trusted"
    assert reason(vector, agent_keys_version_min=3) == "keys-too-old"
    assert reason(vector, tenant="another") == "tenant-differs"
    keys = copy.deepcopy(vector["agentKeys"])
    keys["payload"] = base64.b64encode(base64.b64decode(keys["payload"]).replace(b'"one"', b'"two"')).decode()
    assert reason(vector, agent_keys=keys) == "keys-not-trusted"
    for wrong in ({}, {**vector["agentKeys"], "payloadType": "x"}, {**vector["agentKeys"], "more": 1}):
        assert reason(vector, agent_keys=wrong) == "keys-malformed"


def test_one_text_stands_for_one_statement(vector: Any) -> None:
    text = json_text(vector["statement"])
    as_signed = {**vector["answer"], "receipt": sign(text)}
    assert verify(vector, execution=as_signed).statement == vector["statement"]
    others = (
        text.replace('{"version":1', '{ "version":1'),
        text.replace('"version":1', '"version":1.0'),
        text.replace('"version":1', '"version":2'),
        text.replace('"fence"', '"fence":0,"fence"', 1),
        text[:-1] + ',"more":1}',
        "[" * 100_000,
    )
    for other in others:
        assert other != text
        assert reason(vector, execution={**vector["answer"], "receipt": sign(other)}) == "receipt-malformed", other[:40]
    flipped = vector["answer"]["receipt"][:-3] + ("AAA" if not vector["answer"]["receipt"].endswith("AAA") else "BBB")
    assert reason(vector, execution={**vector["answer"], "receipt": flipped}) in (
        "receipt-not-signed",
        "receipt-malformed",
    )


def retired(vector: Any, at: str) -> dict[str, Any]:
    """The list with a retirement, signed anew by the present signing key: RFC 8032, 7.1, test 3."""
    secret = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"
    keys = json.loads(base64.b64decode(vector["agentKeys"]["payload"]))
    keys["agents"][0]["retiredAt"] = at
    payload = json.dumps(keys).encode()
    kind = b"application/vnd.envicutor.agent-keys+json"
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    signature = key.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    signatures = [{"keyid": vector["signingKeyIds"]["present"], "sig": base64.b64encode(signature).decode()}]
    return {**vector["agentKeys"], "payload": base64.b64encode(payload).decode(), "signatures": signatures}


def test_what_an_agent_states_after_it_was_retired_is_not_believed(vector: Any) -> None:
    ended = vector["statement"]["completedAt"]
    assert reason(vector, agent_keys=retired(vector, "2025-12-31T00:00:00Z")) == "agent-retired"
    # Whole seconds and fractions are told apart by the moment, not by the text.
    before = ended.split(".")[0]
    assert verify(vector, agent_keys=retired(vector, ended)).agent["retiredAt"] == ended
    assert verify(vector, agent_keys=retired(vector, f"{before}.999999Z")).agent["retiredAt"]
    assert reason(vector, agent_keys=retired(vector, "2025-13-01T00:00:00Z")) == "keys-malformed"


def test_times_are_in_order(vector: Any) -> None:
    for changed in ("2026-01-32T00:00:00.000Z", "2030-01-01T00:00:00.000Z"):
        statement = {**vector["statement"], "acceptedAt": changed}
        assert reason(vector, execution={**vector["answer"], "receipt": sign(json_text(statement))}) == "times-differ"


def test_digests_of_files_that_were_sent_are_known_by_what_their_upload_gave(vector: Any) -> None:
    main, data = vector["request"]["files"]
    digest = hashlib.sha256(main["content"].encode()).hexdigest()
    stored = StoredFile(id="file_1", sha256=digest, bytes=1, expires_at="2026-01-01T00:00:00Z")
    by_object = {**vector["request"], "files": [{"path": main["path"], "file": stored}, data]}
    assert verify(vector, request=by_object).is_request_checked
    by_id = {**vector["request"], "files": [{"path": main["path"], "file": "file_1"}, data]}
    assert verify(vector, request=by_id, file_digests={"file_1": digest}).is_request_checked
    assert reason(vector, request=by_id, file_digests={"file_1": "00"}) == "request-differs"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (1e20, "100000000000000000000"),
        (-1.5e-9, "-1.5e-9"),
        (0.000001, "0.000001"),
        (123456.789, "123456.789"),
        (5e-324, "5e-324"),
        (1.0, "1"),
        (-0.0, "0"),
        (2**60, "1152921504606847000"),
        (True, "true"),
        ("\ud800\u2028\x7f\x1f\n/", '"\\ud800\u2028\x7f\\u001f\\n/"'),
        ({"b": [None], "a": {}}, '{"b":[null],"a":{}}'),
    ],
)
def test_json_is_written_as_javascript_writes_it(value: Any, text: str) -> None:
    assert json_text(value) == text


def test_canonical_json_is_sorted_by_code_units_and_holds_no_fractions() -> None:
    assert canonical_text({"\ufffd": 1, "😀": 2, "a": [True]}) == '{"a":[true],"😀":2,"\ufffd":1}'
    for wrong in (1.5, 2**53, float("nan")):
        with pytest.raises(ValueError, match="safe integers"):
            canonical_text(wrong)
