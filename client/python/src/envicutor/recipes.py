"""
Owns recipes: environments that a server keeps ready, with the scripts that compile and run a source in them, and the request that one makes of sources.
Never asks for one (operations.py). Invariant: scripts stand in the request as they came, so that everybody who uses a recipe shares its layers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, cast

from .answers import to_camel
from .requests import Content, ExecutionRequest, Limits, WorkspaceFiles


@dataclass(frozen=True)
class Recipe:
    """One of a server's recipes. `environment`, `compile` and `run` are as the API has them; `request` makes a request of them."""

    name: str
    title: str
    """For people: language, and what makes it run."""
    language: str
    version: str
    aliases: tuple[str, ...]
    extensions: tuple[str, ...]
    """Endings of files that it is meant for, with their dot."""
    main: str
    """What the main source is called unless told otherwise."""
    environment: Mapping[str, Any]
    environment_id: str
    """The id of that environment, whether it was built or not."""
    compile: Optional[Mapping[str, Any]]
    """None: nothing is compiled."""
    run: Mapping[str, Any]
    example: Mapping[str, Any]
    """A first program: `files`, `stdin`, `stdout`."""

    def request(
        self,
        files: WorkspaceFiles,
        *,
        main: Optional[str] = None,
        compiler_options: Optional[str] = None,
        arguments: Sequence[str] = (),
        stdin: Content = "",
        compile_limits: Optional[Limits] = None,
        limits: Optional[Limits] = None,
    ) -> ExecutionRequest:
        """What `client.run` takes, for these sources: `client.run(**recipe.request({"main.py": "…"}))`.

        `main` is the path of the main source; by default the one that is called as the recipe says, or the first that ends as its sources do.
        `compiler_options` are words for the compiler, separated by spaces. Limits stand over the recipe's own, member by member.
        """
        variables = {"MAIN": main or self._main_of(files)}
        run = {
            **self.run,
            "variables": {**self.run["variables"], **variables},
            "arguments": list(arguments),
            "stdin": stdin,
        }
        request: dict[str, Any] = {"environment": self.environment, "files": files, "run": _limited(run, limits)}
        if self.compile is not None:
            options = {} if compiler_options is None else {"COMPILER_OPTIONS": compiler_options}
            compiled = {**self.compile, "variables": {**self.compile["variables"], **variables, **options}}
            request["compile"] = _limited(compiled, compile_limits)
        return cast(ExecutionRequest, request)

    def _main_of(self, files: WorkspaceFiles) -> str:
        paths = list(files) if isinstance(files, Mapping) else [file["path"] for file in files]
        if self.main in paths:
            return self.main
        fitting = [path for path in paths if path.endswith(self.extensions)]
        return fitting[0] if fitting else paths[0] if len(paths) == 1 else self.main


def _limited(script: Mapping[str, Any], limits: Optional[Limits]) -> Mapping[str, Any]:
    if limits is None:
        return script
    # Names of the recipe's are the wire's, those that are given Python's.
    return {
        **script,
        "limits": {**script.get("limits", {}), **{to_camel(name): value for name, value in limits.items()}},
    }
