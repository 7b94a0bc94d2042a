"""
Owns what a client can find out about a receipt by itself: which agent, by whose word, states what about the client's own request and output.
Needs the extra `envicutor[receipts]`. Never asks anybody; what it proves and what not: docs/receipts.md.
Invariants: nothing is read out of a payload before its signature was checked, but for the keys that a list names; every statement about what the answer
tells, and about what the request asked if it is given, was compared.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Optional, Union

from .answers import to_json
from .canonical import from_canonical_base64, from_canonical_base64url, json_text
from .models import Envelope, Execution, StoredFile
from .receipt_differences import find_difference, to_moment
from .receipt_shapes import is_agent_key_list, is_envelope, is_statement
from .receipt_texts import AskedTexts, digest_of, judged_digest, told_script
from .request_body import to_body
from .requests import ExecutionRequest
from .signatures import is_signed

__all__ = ["RECEIPT_PROBLEMS", "AgentKeys", "ReceiptRejected", "VerifiedReceipt", "verify_receipt"]

RECEIPT_PROBLEMS: Mapping[str, str] = {
    "receipt-missing": "there is no receipt",
    "receipt-malformed": "what is there is no receipt of a version that is known here",
    "receipt-not-signed": "the agent's key did not sign this",
    "agent-differs": "it is for another agent",
    "execution-differs": "it is for another execution",
    "tenant-differs": "it is for another tenant",
    "request-differs": "something else was asked for",
    "layers-differ": "other layers were used",
    "limits-differ": "other limits were in force",
    "verdict-differs": "it states another verdict",
    "ending-differs": "it states another end of a script",
    "tests-differ": "it states other results of tests",
    "output-differs": "it states other output",
    "usage-differs": "it states other usage",
    "times-differ": "it states other times",
    "answer-malformed": "the answer is not an execution as the API gives it",
    "request-malformed": "the request is not one that the API takes",
    "keys-malformed": "this is no list of agents' keys",
    "keys-not-trusted": "none of the given signing keys signed the list of agents' keys",
    "keys-too-old": "the list of agents' keys is older than one that was seen",
    "agent-unknown": "the agent is not in the list of agents' keys; ask for the list again",
    "agent-retired": "the agent was retired before it states to have ended this",
}
"""Every reason with its sentence."""

_RECEIPT_TYPE = "application/vnd.envicutor.receipt+json"
_KEYS_TYPE = "application/vnd.envicutor.agent-keys+json"
_RECEIPT_CHARACTERS_MAX = 65_536
_SAFE_INTEGER_MAX = 2**53 - 1


class ReceiptRejected(ValueError):
    """A receipt that is not to be believed."""

    reason: str
    """One of `RECEIPT_PROBLEMS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {RECEIPT_PROBLEMS[self.reason]}"


@dataclass(frozen=True)
class AgentKeys:
    """What the list of agents' keys says of itself."""

    version: int
    """Grows with every change: keep the highest."""
    issued_at: str
    signing_key_ids: tuple[str, ...]
    """All that count at that time: those of a rotation under way are to be believed as well."""


@dataclass(frozen=True)
class VerifiedReceipt:
    """What was proven."""

    statement: Mapping[str, Any]
    """What the agent states, with the names of the wire (docs/receipts.md)."""
    agent: Mapping[str, Any]
    """Who stated it: `agentId`, `name`, `pool`, `publicKey`, `enrolledAt`, and `retiredAt` when it is not to be believed any more by now."""
    is_request_checked: bool
    """Was the request compared?"""
    agent_keys: AgentKeys


def verify_receipt(
    execution: Union[Execution, Mapping[str, Any]],
    agent_keys: Union[Envelope, Mapping[str, Any]],
    signing_key_ids: Iterable[str],
    *,
    request: Union[ExecutionRequest, Mapping[str, Any], None] = None,
    environment_variables: Optional[Mapping[str, str]] = None,
    check_environment_variables: Optional[Mapping[str, str]] = None,
    file_digests: Optional[Mapping[str, str]] = None,
    tenant: Optional[str] = None,
    agent_keys_version_min: int = 0,
) -> VerifiedReceipt:
    """What the receipt of an execution proves; raises ReceiptRejected.

    `execution` is the answer, as `client.run` gives it or as JSON; `agent_keys` what `client.agent_keys()` gave at any time after the agent was enrolled;
    `signing_key_ids` those that are believed, got from the operator or kept from before, never out of the list itself. `request` is what was asked for:
    then that is compared, too; for an environment that it names by an id give the variables of that, for files that it names by an id, and not by what their
    upload gave, their `sha256`.
    """
    answer = execution if isinstance(execution, Mapping) else to_json(execution)
    envelope = agent_keys if isinstance(agent_keys, Mapping) else to_json(agent_keys)
    receipt, named = _names_of(answer)
    keys = _open_list(dict(envelope), frozenset(signing_key_ids))
    if keys["version"] < agent_keys_version_min:
        raise ReceiptRejected("keys-too-old")
    agent = next((each for each in keys["agents"] if each["agentId"] == named), None)
    if agent is None:
        raise ReceiptRejected("agent-unknown")
    statement = _open_statement(receipt, agent["publicKey"])
    told = _read_answer(answer, named)
    if tenant is not None:
        told["tenant"] = tenant
    if request is not None:
        digests = {**_digests_in(request), **(file_digests or {})}
        texts = AskedTexts(environment_variables or {}, check_environment_variables or {}, digests)
        told.update(_read_request(request, texts))
    difference = find_difference(statement, told)
    if difference is not None:
        raise ReceiptRejected(difference)
    if "retiredAt" in agent and _is_later(statement["completedAt"], agent["retiredAt"]):
        raise ReceiptRejected("agent-retired")
    named_keys = tuple(key["keyid"] for key in keys["keys"])
    return VerifiedReceipt(
        statement, agent, request is not None, AgentKeys(keys["version"], keys["issuedAt"], named_keys)
    )


def _is_later(completed: str, retired: str) -> bool:
    try:
        return to_moment(completed) > to_moment(retired)
    except ValueError as error:
        # The statement's own moments were compared before: it is the list that names a day that there is not.
        raise ReceiptRejected("keys-malformed") from error


def _digests_in(value: Any) -> dict[str, str]:
    """What is known of files that were sent before, by their ids."""
    if isinstance(value, StoredFile):
        return {value.id: value.sha256}
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return {id: digest for item in items for id, digest in _digests_in(item).items()}


def _names_of(answer: Mapping[str, Any]) -> tuple[str, str]:
    receipt, agent = answer.get("receipt"), answer.get("agent")
    if receipt is None:
        raise ReceiptRejected("receipt-missing")
    named = agent.get("id") if isinstance(agent, Mapping) else None
    if not isinstance(receipt, str) or not isinstance(named, str) or not isinstance(answer.get("id"), str):
        raise ReceiptRejected("answer-malformed")
    return receipt, named


def _open_list(envelope: object, signing_key_ids: frozenset[str]) -> Any:
    if not is_envelope(envelope) or not isinstance(envelope, dict) or envelope["payloadType"] != _KEYS_TYPE:
        raise ReceiptRejected("keys-malformed")
    payload = from_canonical_base64(envelope["payload"])
    keys = None if payload is None else _parse(payload)
    if payload is None or keys is None or not is_agent_key_list(keys[1]):
        raise ReceiptRejected("keys-malformed")
    for key in keys[1]["keys"]:
        der = from_canonical_base64(key["publicKey"])
        # A key's id is the digest of its bytes.
        if key["keyid"] not in signing_key_ids or der is None or digest_of(der) != key["keyid"]:
            continue
        for each in envelope["signatures"]:
            signature = from_canonical_base64(each["sig"])
            if signature is not None and is_signed(der, signature, _KEYS_TYPE, payload):
                return keys[1]
    raise ReceiptRejected("keys-not-trusted")


def _open_statement(receipt: str, public_key: str) -> Any:
    parts = receipt.split(".")
    if len(receipt) > _RECEIPT_CHARACTERS_MAX or len(parts) != 2:
        raise ReceiptRejected("receipt-malformed")
    payload, signature = from_canonical_base64url(parts[0]), from_canonical_base64url(parts[1])
    if not payload or signature is None or len(signature) != 64:
        raise ReceiptRejected("receipt-malformed")
    der = from_canonical_base64(public_key)
    if der is None or not is_signed(der, signature, _RECEIPT_TYPE, payload):
        raise ReceiptRejected("receipt-not-signed")
    parsed = _parse(payload)
    # One text for one statement: no other reader can have read something else.
    if parsed is None or not is_statement(parsed[1]) or json_text(parsed[1]) != parsed[0]:
        raise ReceiptRejected("receipt-malformed")
    return parsed[1]


def _parse(payload: bytes) -> Optional[tuple[str, Any]]:
    """Text and value; numbers as JavaScript holds them."""
    try:
        text = payload.decode()
        return text, json.loads(text, parse_int=_to_number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _to_number(digits: str) -> Union[int, float]:
    number = int(digits)
    return number if abs(number) <= _SAFE_INTEGER_MAX else float(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")


def _read_answer(answer: Mapping[str, Any], agent: str) -> dict[str, Any]:
    try:
        failure, environment = answer["failure"], answer["environment"]
        return {
            "agent": agent,
            "execution": answer["id"],
            "verdict": answer["verdict"],
            "endedIn": answer["endedIn"],
            "failure": None if failure is None else failure["code"],
            "layers": [] if environment is None else [layer["digest"] for layer in environment["layers"]],
            "compile": told_script(answer["compile"]),
            "run": told_script(answer["run"]),
            "tests": judged_digest(answer),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReceiptRejected("answer-malformed") from error


def _read_request(request: Mapping[str, Any], texts: AskedTexts) -> dict[str, Any]:
    """What was asked for, and limits: they are stated in clear."""
    try:
        body = to_body(request)
        compile, check = body.get("compile"), body.get("check", {})
        limits: dict[str, Any] = {
            "compile": None if compile is None else compile.get("limits"),
            "run": body["run"].get("limits", {}),
            "check": None,
        }
        if "run" in check:
            made = check.get("compile")
            limits["check"] = {
                "compile": None if made is None else made.get("limits"),
                "run": check["run"].get("limits", {}),
            }
        return {"request": texts.digest(body), "limits": limits}
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise ReceiptRejected("request-malformed") from error
