"""Tool schemas as Gemini admits them: JSON Schema cleaned lightly, and the older OpenAPI subset (gemini.md §3).

All functions work on copies, and only on schema positions: a property that is *named* `format` survives.
"""

from collections.abc import Callable
from typing import Any

_DROPPED = frozenset(
    {
        "$schema",
        "$comment",
        "examples",
        "propertyNames",
        "patternProperties",
        "not",
        "if",
        "then",
        "else",
        "multipleOf",
        "contentEncoding",
        # Said otherwise:
        "allOf",
        "const",
        "exclusiveMinimum",
        "exclusiveMaximum",
    }
)
_DROPPED_PREFIXES = ("dependent", "unevaluated")

_HELD = frozenset({"$ref", "anyOf", "oneOf", "enum"})
"""What makes a schema worth sending although it names no properties."""

# fmt: off
_OPENAPI = frozenset({
    "type", "format", "title", "description", "nullable", "enum", "items", "minItems", "maxItems", "minProperties",
    "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf", "properties", "propertyOrdering",
    "required", "minimum", "maximum",
})
# fmt: on
_STRING_FORMATS = frozenset({"enum", "date-time"})


def clean(schema: Any) -> dict[str, Any] | None:
    """A schema for `parametersJsonSchema`; None for an object without properties, which is not sent."""
    node = lightly(schema)
    says_nothing = not node.get("properties") and node.get("type", "object") == "object" and not _HELD & node.keys()
    if says_nothing and not isinstance(node.get("additionalProperties"), dict):
        return None
    definitions = node.pop("definitions", None)
    if isinstance(definitions, dict):
        node["$defs"] = {**definitions, **members(node, "$defs")}
    bare: dict[str, Any] = _bare_references(node)
    return bare


def clean_openapi(schema: Any) -> dict[str, Any] | None:
    """A schema for `parameters`; None for an object without properties."""
    node = lightly(schema)
    definitions = {**members(node, "definitions"), **members(node, "$defs")}
    opened = _openapi(node, definitions, ())
    return None if not opened.get("properties") and opened.get("type") == "OBJECT" else opened


def merge_all_of(node: dict[str, Any], branches: list[Any]) -> dict[str, Any]:
    """A node with the branches of its `allOf` merged into it: properties and `required` united, else first wins."""
    merged = dict(node)
    for branch in branches:
        if not isinstance(branch, dict):
            continue
        for key, value in branch.items():
            if key == "properties" and isinstance(value, dict):
                merged["properties"] = {**value, **members(merged, "properties")}
            elif key == "required" and isinstance(value, list):
                known = merged.get("required")
                known = known if isinstance(known, list) else []
                merged["required"] = [*known, *(name for name in value if name not in known)]
            else:
                merged.setdefault(key, value)
    return merged


def each_schema(node: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy of a node with each schema directly below it changed."""
    copy: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            copy[key] = {name: change(below) for name, below in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            copy[key] = change(value)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems", "items") and isinstance(value, list):
            copy[key] = [change(below) for below in value]
        else:
            copy[key] = value
    return copy


def resolve(reference: Any, definitions: dict[str, Any]) -> Any:
    """What a local `$ref` names; None where it leads nowhere."""
    if not isinstance(reference, str):
        return None
    for begin in ("#/$defs/", "#/definitions/"):
        if reference.startswith(begin):
            return definitions.get(reference[len(begin) :].replace("~1", "/").replace("~0", "~"))
    return None


def members(node: dict[str, Any], name: str) -> dict[str, Any]:
    """An object below a node; empty where there is none."""
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def lightly(schema: Any) -> dict[str, Any]:
    """What neither form understands removed, and what can be said otherwise said so."""
    if not isinstance(schema, dict):
        # `true` admits everything; `false` has no counterpart, and nothing sensible is asked with it.
        return {}
    node = {
        key: value
        for key, value in schema.items()
        if key not in _DROPPED and not key.startswith(_DROPPED_PREFIXES) and not (key == "default" and value is None)
    }
    if isinstance(schema.get("allOf"), list):
        node = merge_all_of(node, [lightly(branch) for branch in schema["allOf"]])
    if "const" in schema:
        node["enum"] = [schema["const"]]
    _close_border(schema, node, "exclusiveMinimum", "minimum", 1)
    _close_border(schema, node, "exclusiveMaximum", "maximum", -1)
    if isinstance(node.get("items"), list):
        node["prefixItems"] = node.pop("items")
    return each_schema(node, lightly)


def _close_border(schema: dict[str, Any], node: dict[str, Any], exclusive: str, inclusive: str, step: int) -> None:
    value = schema.get(exclusive)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    closed = value + step if schema.get("type") == "integer" else value
    other = node.get(inclusive)
    if isinstance(other, int | float) and not isinstance(other, bool):
        closed = max(closed, other) if step > 0 else min(closed, other)
    node[inclusive] = closed


def _bare_references(schema: Any) -> Any:
    """Nodes with `$ref` without neighbours, except those that begin with `$`: others are refused beside it."""
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return each_schema(schema, _bare_references)
    node = {key: value for key, value in schema.items() if key.startswith("$")}
    node["$ref"] = reference.replace("#/definitions/", "#/$defs/")
    return each_schema(node, _bare_references)


def _openapi(schema: Any, definitions: dict[str, Any], above: tuple[str, ...]) -> dict[str, Any]:
    node = schema if isinstance(schema, dict) else {}
    reference = node.get("$ref")
    if isinstance(reference, str):
        target = resolve(reference, definitions)
        if reference in above or not isinstance(target, dict):
            return {"type": "OBJECT"}
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _openapi({**target, **beside}, definitions, (*above, reference))
    node = _one_type(_one_branch({key: value for key, value in node.items() if key != "allOf"}))
    if "$ref" in node:
        # The single branch that was left may itself be a reference.
        return _openapi(node, definitions, above)
    if "anyOf" in node:
        nullable = {"nullable": True} if node.get("nullable") else {}
        return {"anyOf": [{**_openapi(branch, definitions, above), **nullable} for branch in node["anyOf"]]}
    if "prefixItems" in node and "items" not in node and node["prefixItems"]:
        node["items"] = node["prefixItems"][0]
    node = {key: value for key, value in node.items() if key in _OPENAPI}
    _string_enum(node)
    _upper_type(node)
    kind = node["type"]
    if kind == "STRING" and str(node.get("format")) not in _STRING_FORMATS:
        node.pop("format", None)
    below = node.pop("properties", None)
    if isinstance(below, dict) and below:
        node["properties"] = {name: _openapi(value, definitions, above) for name, value in below.items()}
    if kind == "ARRAY":
        node["items"] = _openapi(node["items"], definitions, above) if "items" in node else {"type": "STRING"}
    else:
        node.pop("items", None)
    _existing_required(node)
    return node


def _one_branch(node: dict[str, Any]) -> dict[str, Any]:
    """`oneOf` as `anyOf`, a null branch as `nullable`, and a single branch in place of its list."""
    branches = node.pop("oneOf", None) if "anyOf" not in node else node.get("anyOf")
    node.pop("oneOf", None)
    if not isinstance(branches, list) or not branches:
        node.pop("anyOf", None)
        return node
    kept = [branch for branch in branches if not (isinstance(branch, dict) and branch.get("type") == "null")]
    if len(kept) < len(branches):
        node["nullable"] = True
    if len(kept) > 1:
        node["anyOf"] = kept
        return node
    node.pop("anyOf", None)
    return {**(kept[0] if kept and isinstance(kept[0], dict) else {}), **node}


def _one_type(node: dict[str, Any]) -> dict[str, Any]:
    """A list of types as one type with `nullable`, or as `anyOf` where there is more than one beside null."""
    types = node.get("type")
    if not isinstance(types, list):
        return node
    kept = [name for name in types if name != "null"]
    if len(kept) < len(types):
        node["nullable"] = True
    if len(kept) > 1:
        node["anyOf"] = [{"type": name} for name in kept]
    else:
        node["type"] = kept[0] if kept else "string"
    return node


def _string_enum(node: dict[str, Any]) -> None:
    values = node.get("enum")
    if not isinstance(values, list):
        node.pop("enum", None)
        return
    if None in values:
        node["nullable"] = True
    # Booleans would become "True" by str(): JSON's own words are meant.
    words = [
        {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        for value in values
        if value is not None
    ]
    words = list(dict.fromkeys(word for word in words if word))
    if words:
        node["enum"], node["type"] = words, "string"
    else:
        node.pop("enum")


def _upper_type(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if kind == "null":
        kind, node["nullable"] = "string", True
    node["type"] = kind.upper() if isinstance(kind, str) else "OBJECT"


def _existing_required(node: dict[str, Any]) -> None:
    wanted = node.pop("required", None)
    known = members(node, "properties")
    kept = [name for name in wanted if name in known] if isinstance(wanted, list) else []
    if kept:
        node["required"] = kept
