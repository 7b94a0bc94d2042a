# Owns: what of the checks of ops/ only Python's packages can do: reading YAML, and the schemas of Compose and of Kubernetes. Prints JSON: for each
# document of the files that it is given {"document": ..., "problems": [...]}. Never decides what a problem means (test/integration/compose.test.ts, kubernetes.test.ts).
# Usage: python operations-checkers.py compose | kubernetes-<version> FILE...
import json
import pathlib
import sys

import check_jsonschema
import jsonschema
import kubernetes_validate
import yaml

kind, *paths = sys.argv[1:]
loaded = [document for path in paths for document in yaml.safe_load_all(pathlib.Path(path).read_text())]
documents = [document for document in loaded if document is not None]


def compose_problems(document):
    vendored = pathlib.Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor/compose-spec.json"
    validator = jsonschema.Draft202012Validator(json.loads(vendored.read_text()))
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(document)]


def kubernetes_problems(document):
    try:
        kubernetes_validate.validate(document, kind.removeprefix("kubernetes-"), strict=True)
        return []
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(str(part) for part in error.path)}: {error.message[:300]}"]


problems = compose_problems if kind == "compose" else kubernetes_problems
json.dump([{"document": document, "problems": problems(document)} for document in documents], sys.stdout)
