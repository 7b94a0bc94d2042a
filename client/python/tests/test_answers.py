"""
Owns that answers are read into their classes and back without loss, that what a later server adds is passed over, and what is no answer is named.
"""

import dataclasses
from typing import Any

import pytest

from envicutor import EnvicutorError, models, to_json
from envicutor.answers import to_answer, to_camel
from scripted_server import execution, report


def test_an_answer_goes_there_and_back() -> None:
    certificate = {
        "clean": "unprovable",
        "reasons": ["virtual-machine"],
        "cpus": None,
        "isAddressSpaceFixed": True,
        "areHugePagesOff": True,
        "isVirtual": True,
        "governor": None,
        "isBoosted": None,
        "calibration": None,
        "before": {"stealMs": None, "frequencyKhz": 1, "thermalThrottles": 0},
        "after": {"stealMs": 1.5, "frequencyKhz": None, "thermalThrottles": 0},
        "cpuTimeMs": 1,
        "wallTimeMs": 2,
        "elsewhereMs": None,
        "siblingsMs": None,
        "voluntarySwitches": 1,
        "involuntarySwitches": 0,
        "throttledMs": 0,
        "neighbours": 0,
        "slots": 1,
    }
    test = {"name": "1", "outcome": "wrong-answer", "report": report(), "check": None}
    told = execution(metadata={"any_name": [1, {"x": None}]}, certificate=certificate, tests=[test])
    read = to_answer(models.Execution, told)
    assert read.certificate is not None
    assert (read.certificate.clean, read.certificate.after.steal_ms) == ("unprovable", 1.5)
    assert read.tests[0].report is not None
    assert read.tests[0].report.usage.cpu_time_ms == 1
    # What is optional and absent is absent again, what is null is null again.
    assert read.rerun is None
    assert to_json(read) == told
    with pytest.raises(dataclasses.FrozenInstanceError):
        read.id = "other"  # type: ignore[misc]


def test_what_is_not_known_here_is_passed_over() -> None:
    told = execution(stage="pondering", novelty={"a": 1})
    assert str(to_answer(models.Execution, told).stage) == "pondering"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attempts": "1"}, 'attempts: "1" is no int'),
        ({"attempts": True}, "attempts: true is no int"),
        ({"run": 3}, "run: 3 is no object"),
        ({"tests": {}}, "tests: {} is no list"),
        ({"run": report(usage={})}, "run: usage: it lacks 'cpuTimeMs'"),
    ],
)
def test_what_is_no_answer_says_where(changes: Any, said: str) -> None:
    with pytest.raises(EnvicutorError) as failed:
        to_answer(models.Execution, execution(**changes))
    assert failed.value.code == "answer-malformed"
    assert said in failed.value.detail


def test_output_is_its_bytes_whatever_it_is() -> None:
    told = report("ü\n", stderr="/w==", stderrEncoding="base64")
    read = to_answer(models.Report, told)
    assert (read.stdout_bytes, read.stderr_bytes) == ("ü\n".encode(), b"\xff")
    broken = to_answer(models.Report, report("%", stdoutEncoding="base64"))
    with pytest.raises(EnvicutorError, match="base64"):
        _ = broken.stdout_bytes


def test_names_are_mechanical() -> None:
    names = {
        "cpu_time_ms": "cpuTimeMs",
        "id": "id",
        "sha256": "sha256",
        "is_default": "isDefault",
        "cpuTimeMs": "cpuTimeMs",
    }
    assert {name: to_camel(name) for name in names} == names
