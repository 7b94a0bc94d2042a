"""
Owns that the client and the API's description are alike: every member of every request, answer and event, every operation of a tenant; and that both
doors are. A new one in the API fails here until somebody has decided what becomes of it.
"""

import dataclasses
import inspect
import re
import typing
from typing import Any, get_args

import httpx
import pytest

import envicutor
from conftest import RunningServer
from envicutor import async_client, async_resources, following, models, requests, sync_client, sync_resources
from envicutor.answers import to_camel
from envicutor.operations import Operations

REQUESTS = {
    "Limits": requests.Limits,
    "EnvironmentRequest": requests.EnvironmentRequest,
    "CompileRequest": requests.CompileRequest,
    "CheckCompile": requests.CompileRequest,
    "RunRequest": requests.RunScript,
    "TestCase": requests.TestCase,
    "TestGroup": requests.TestGroup,
    "Comparison": requests.Comparison,
    "CheckRun": requests.CheckRun,
    "CheckProgram": requests.CheckProgram,
    "PlacementRequest": requests.PlacementRequest,
    "WebhookRequest": requests.WebhookRequest,
}
SHORT_FORMS = {"stdin", "arguments", "variables", "limits", "collect"}
OPERATIONS = {
    "createExecution": Operations.run,
    "listExecutions": Operations.executions,
    "createExecutions": Operations.batch,
    "getExecution": Operations.show,
    "cancelExecution": Operations.cancel,
    "getExecutionPlacement": Operations.placement,
    "followExecution": Operations.events,
    "issueTerminalTicket": Operations.terminal_ticket,
    "createEnvironment": Operations.ensure,
    "listEnvironments": Operations.environments,
    "getEnvironment": Operations.show_environment,
    "listBases": Operations.bases,
    "listRecipes": Operations.recipes,
    "getRecipe": Operations.recipe,
    "followEnvironment": Operations.environment_events,
    "createFile": Operations.upload,
    "listFiles": Operations.files,
    "deleteFile": Operations.delete_file,
    "getFile": Operations.pieces,
    "listDeliveries": Operations.deliveries,
    "getDelivery": Operations.delivery,
    "replayDelivery": Operations.replay,
    "getWebhookSecret": Operations.webhook_secret,
    "rotateWebhookSecret": Operations.rotate_webhook_secret,
    "getUsage": Operations.usage,
    "getAgentKeys": Operations.agent_keys,
}
FOR_OPERATORS = {"agents", "tenants", "audit", "pools", "cache", "instance"}
"""Areas of the description whose other operations are for whoever operates an instance, or owns machines."""


@pytest.fixture(scope="module")
def description(server: RunningServer) -> Any:
    return httpx.get(f"{server.url}/openapi.json").raise_for_status().json()


@pytest.fixture(scope="module")
def schemas(description: Any) -> Any:
    return description["components"]["schemas"]


def to_snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def optional_and_required(schema: Any) -> tuple[set[str], set[str]]:
    required = {to_snake(name) for name in schema["required"]} if "required" in schema else set()
    return {to_snake(name) for name in schema["properties"]} - required, required


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_has_every_member_and_none_besides(schemas: Any, name: str) -> None:
    kind: Any = REQUESTS[name]
    assert optional_and_required(schemas[name]) == (set(kind.__optional_keys__), set(kind.__required_keys__))


def test_an_execution_has_every_member_and_short_forms_of_its_run_script(schemas: Any) -> None:
    optional, required = optional_and_required(schemas["ExecutionRequest"])
    # The default base is what is meant without an environment.
    kind: Any = requests.ExecutionRequest
    assert set(kind.__optional_keys__) == optional | SHORT_FORMS | {"environment"}
    assert set(kind.__required_keys__) == required - {"environment"}
    assert SHORT_FORMS | {"script", "stdin_encoding"} == set().union(*optional_and_required(schemas["RunRequest"]))


def test_a_file_is_one_with_content_or_by_its_id(schemas: Any) -> None:
    members = {to_snake(name) for kind in ("File", "FileReference") for name in schemas[kind]["properties"]}
    kind: Any = requests.InputFile
    assert members == set(kind.__optional_keys__ | kind.__required_keys__)


def test_choices_of_requests_are_those_of_the_api(schemas: Any) -> None:
    def choices(kind: Any, member: str) -> set[str]:
        hint = typing.get_type_hints(kind)[member]
        return set(get_args(hint))

    def told(schema: str, member: str) -> set[str]:
        found = schemas[schema]["properties"][member]
        found = schemas[found["$ref"].split("/")[-1]] if "$ref" in found else found
        return set(found["enum"])

    assert choices(requests.Comparison, "kind") == told("Comparison", "kind")
    assert choices(requests.CheckProgram, "kind") == told("CheckProgram", "kind")
    assert choices(requests.EnvironmentRequest, "visibility") == told("EnvironmentRequest", "visibility")
    assert choices(requests.PlacementRequest, "architecture") == told("PlacementRequest", "architecture")
    assert choices(requests.RunScript, "stdin_encoding") == told("RunRequest", "stdinEncoding")


ANSWERS = sorted(name for name, kind in vars(models).items() if dataclasses.is_dataclass(kind))


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_every_member_and_none_besides(schemas: Any, name: str) -> None:
    if name not in schemas:
        # Within another, where the description gives it no name.
        assert any(name.startswith(outer) for outer in ANSWERS if outer != name)
        return
    members = dataclasses.fields(getattr(models, name))
    has_default = {member.name for member in members if member.default is not dataclasses.MISSING}
    assert optional_and_required(schemas[name]) == (has_default, {member.name for member in members} - has_default)
    assert {to_camel(member.name) for member in members} == set(schemas[name]["properties"])


@pytest.mark.parametrize("thing", ["execution", "environment"])
def test_every_event_has_a_type(description: Any, thing: str) -> None:
    followed = description["paths"][f"/v1/{thing}s/{{id}}/events"]["get"]["responses"]["200"]
    told = {
        choice["properties"]["event"]["const"]: choice["properties"]["data"]["contentSchema"]["$ref"].split("/")[-1]
        for choice in followed["content"]["text/event-stream"]["schema"]["oneOf"]
    }
    union = {"execution": envicutor.ExecutionEvent, "environment": envicutor.EnvironmentEvent}[thing]
    typed = {get_args(name)[0]: data.__name__ for name, data in (get_args(each) for each in get_args(union))}
    assert typed == told
    read = {name: kind.__name__ for name, kind in following._DATA.items()}
    assert {name: read[name] for name in told if name != "finished"} == {
        name: data for name, data in told.items() if name != "finished"
    }


def test_every_operation_of_a_tenant_is_there_and_only_operators_have_others(description: Any) -> None:
    told = {
        operation["operationId"]: operation["tags"][0]
        for path in description["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "operationId" in operation
    }
    assert {name for name, tag in told.items() if tag not in FOR_OPERATORS} <= set(OPERATIONS) <= set(told)


PAIRS = [
    (sync_client.Envicutor, async_client.AsyncEnvicutor),
    (sync_resources.ExecutionHandle, async_resources.AsyncExecutionHandle),
    (sync_resources.Environments, async_resources.AsyncEnvironments),
    (sync_resources.Recipes, async_resources.AsyncRecipes),
    (sync_resources.Files, async_resources.AsyncFiles),
    (sync_resources.Webhooks, async_resources.AsyncWebhooks),
]


@pytest.mark.parametrize(("sync", "asynchronous"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_doors_take_the_same_and_say_so(sync: Any, asynchronous: Any) -> None:
    def methods(kind: Any) -> dict[str, Any]:
        return {name: value for name, value in vars(kind).items() if inspect.isfunction(value) and name[0] != "_"}

    one, other = (
        methods(sync),
        {name.replace("aclose", "close"): value for name, value in methods(asynchronous).items()},
    )
    assert one.keys() == other.keys()
    for name, method in one.items():
        assert list(inspect.signature(method).parameters) == list(inspect.signature(other[name]).parameters), name
        assert method.__doc__, name
        assert other[name].__doc__.splitlines()[0] == method.__doc__.splitlines()[0], name
        is_iterator = "Iterator" in str(inspect.signature(method).return_annotation)
        asks_nothing = name == "execution"
        assert inspect.iscoroutinefunction(other[name]) != (is_iterator or asks_nothing), name
