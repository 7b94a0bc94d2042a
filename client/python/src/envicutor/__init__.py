"""
Owns what programs take from this package: `Envicutor` for programs that wait, `AsyncEnvicutor` for asyncio, and the types of what goes and comes.
Never imports what is an extra: receipts are checked by `envicutor.receipts`. Invariant: what is not named here may change without a word.
"""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version

from . import models
from .answers import to_json
from .async_client import AsyncEnvicutor
from .async_resources import AsyncEnvironments, AsyncExecutionHandle, AsyncFiles, AsyncRecipes, AsyncWebhooks
from .clock import Clock
from .errors import CLIENT_CODES, ApiError, DeadlineExceeded, EnvicutorError, ErrorPlace, NetworkError
from .following import EnvironmentEvent, Event, ExecutionEvent
from .models import (
    Envelope,
    Environment,
    Execution,
    ExecutionVerdict,
    Placement,
    Report,
    Stage,
    StoredFile,
    TenantUsage,
    Usage,
    Verdict,
)
from .recipes import Recipe
from .requests import (
    CheckProgram,
    Comparison,
    CompileRequest,
    Content,
    EnvironmentRequest,
    ExecutionRequest,
    FileContent,
    FileSpec,
    InputFile,
    Limits,
    PlacementRequest,
    RunScript,
    TestCase,
    TestGroup,
    WebhookRequest,
    WorkspaceFiles,
)
from .retries import Retries
from .submission import create_idempotency_key
from .sync_client import Envicutor
from .sync_resources import Environments, ExecutionHandle, Files, Recipes, Webhooks
from .transfers import Uploadable
from .webhook import WEBHOOK_PROBLEMS, WebhookEvent, WebhookRejected, verify_webhook

try:
    __version__ = _version("envicutor")
except PackageNotFoundError:  # sources that nobody has installed
    __version__ = "0"

__all__ = [
    "CLIENT_CODES",
    "WEBHOOK_PROBLEMS",
    "ApiError",
    "AsyncEnvicutor",
    "AsyncEnvironments",
    "AsyncExecutionHandle",
    "AsyncFiles",
    "AsyncRecipes",
    "AsyncWebhooks",
    "CheckProgram",
    "Clock",
    "Comparison",
    "CompileRequest",
    "Content",
    "DeadlineExceeded",
    "Envelope",
    "Envicutor",
    "EnvicutorError",
    "Environment",
    "EnvironmentEvent",
    "EnvironmentRequest",
    "Environments",
    "ErrorPlace",
    "Event",
    "Execution",
    "ExecutionEvent",
    "ExecutionHandle",
    "ExecutionRequest",
    "ExecutionVerdict",
    "FileContent",
    "FileSpec",
    "Files",
    "InputFile",
    "Limits",
    "NetworkError",
    "Placement",
    "PlacementRequest",
    "Recipe",
    "Recipes",
    "Report",
    "Retries",
    "RunScript",
    "Stage",
    "StoredFile",
    "TenantUsage",
    "TestCase",
    "TestGroup",
    "Uploadable",
    "Usage",
    "Verdict",
    "WebhookEvent",
    "WebhookRejected",
    "WebhookRequest",
    "Webhooks",
    "WorkspaceFiles",
    "__version__",
    "create_idempotency_key",
    "models",
    "to_json",
    "verify_webhook",
]
