"""The API's description: a generated client has names and words for everything in it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccrouter.admin import problems
from ccrouter.admin.problem_codes import CODES, FIELD_CODES
from ccrouter.api import describe_api

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads(json.dumps(describe_api()))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]


def inline_objects(schema: Any, path: str) -> Iterator[str]:
    """Where an object is described that has no name."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and ("properties" in schema or schema.get("additionalProperties") is True):
            yield path
        for name, item in schema.items():
            if name not in ("examples", "default", "example"):
                yield from inline_objects(item, f"{path}/{name}")
    elif isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from inline_objects(item, f"{path}[{index}]")


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is what the schema says: types, members, choices and bounds."""
    if "$ref" in schema:
        return fits(value, SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return any(fits(value, kind) for kind in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kind = schema.get("type")
    if kind == "object":
        members = schema.get("properties", {})
        return (
            isinstance(value, dict)
            and set(schema.get("required", ())) <= set(value)
            and (schema.get("additionalProperties") is not False or set(value) <= set(members))
            and all(fits(item, members[name]) for name, item in value.items() if name in members)
        )
    if kind == "array":
        return isinstance(value, list) and all(fits(item, schema.get("items", {})) for item in value)
    if kind == "string":
        return isinstance(value, str) and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)
    if kind in ("integer", "number"):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= schema.get("minimum", value)
    types: dict[str, Any] = {"boolean": bool, "null": type(None)}
    return kind not in types or isinstance(value, types[kind])


def test_every_operation_has_a_name_of_its_own_and_words() -> None:
    """The name is that of a function in a generated client."""
    names = [operation["operationId"] for operation in OPERATIONS]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)
    assert [name for name, operation in zip(names, OPERATIONS, strict=True) if not operation.get("summary")] == []
    assert [name for name, operation in zip(names, OPERATIONS, strict=True) if not operation.get("description")] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_has_a_plain_name_words_and_an_example(name: str) -> None:
    """For itself and for each of its members; what the example shows is what the schema says."""
    schema = SCHEMAS[name]
    assert re.fullmatch(r"[A-Z][A-Za-z0-9]+(_[A-Za-z0-9]+_)?", name)
    assert schema.get("description")
    assert [member for member, told in schema.get("properties", {}).items() if not told.get("description")] == []
    if schema["type"] == "object":
        assert schema["examples"]
        assert [example for example in schema["examples"] if not fits(example, schema)] == []


def test_no_object_is_without_a_name() -> None:
    """A generated client would call it `Anonymous1`."""
    inner = [path for name, schema in SCHEMAS.items() for part in schema.items() for path in inline_objects(part, name)]
    assert inner == []
    assert [path for name, item in DOCUMENT["paths"].items() for path in inline_objects(item, name)] == []


def test_every_code_that_is_used_is_explained() -> None:
    """And none is explained that nobody uses."""
    text = "".join(
        path.read_text()
        for room in ("admin", "oauth")
        for path in sorted((ROOT / "shared/ccrouter" / room).rglob("*.py"))
        if path.name != "problem_codes.py"
    )
    used = set(re.findall(r'\bcode="([a-z_]+)"', text)) | {code for code, _ in problems._TITLES.values()}
    assert used <= CODES.keys() | FIELD_CODES.keys()
    assert CODES.keys() | FIELD_CODES.keys() <= used
    assert all(f"`{code}`" in DOCUMENT["info"]["description"] for code in CODES)


def test_the_pages_have_the_description_that_the_api_has() -> None:
    """`make openapi` writes it anew; types of the pages are made of it."""
    assert json.loads((ROOT / "frontend/openapi.json").read_text()) == DOCUMENT
