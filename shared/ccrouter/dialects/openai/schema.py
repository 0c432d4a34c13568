"""JSON Schemas as these APIs take them: an object at the root, closed where strict (openai-compatible.md §3)."""

from typing import Any

Schema = dict[str, Any]

_UNIONS = ("allOf", "anyOf", "oneOf")
_LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS_OF_SCHEMAS = ("properties", "$defs", "definitions", "patternProperties")


def object_schema(schema: Any) -> Schema:
    """A tool's schema with an object and its properties at the root; everything below stays as it is."""
    given: Schema = (
        {name: value for name, value in schema.items() if name != "$schema"} if isinstance(schema, dict) else {}
    )
    if any(union in given for union in _UNIONS):
        given = _merged(given)
    return {**given, "type": "object", "properties": given.get("properties") or {}}


def strict_schema(schema: Schema) -> Schema:
    """The same with every object closed and every property required, as strict mode demands."""
    return {**_closed(schema)}


def _merged(schema: Schema) -> Schema:
    """A union at the root as one object: what any branch knows, and required what all of them require."""
    merged = {name: value for name, value in schema.items() if name not in _UNIONS}
    properties: Schema = dict(merged.get("properties") or {})
    required = set(merged.get("required") or ())
    definitions = schema.get("$defs") or schema.get("definitions") or {}
    for union in _UNIONS:
        branches = [_resolved(branch, definitions) for branch in schema.get(union) or ()]
        for branch in branches:
            for name, value in (branch.get("properties") or {}).items():
                properties.setdefault(name, value)
        demands = [set(branch.get("required") or ()) for branch in branches]
        if demands:
            required |= set.union(*demands) if union == "allOf" else set.intersection(*demands)
    merged["properties"] = properties
    if required:
        merged["required"] = [name for name in properties if name in required]
    return merged


def _resolved(branch: Any, definitions: Schema, depth: int = 0) -> Schema:
    if not isinstance(branch, dict):
        return {}
    reference = branch.get("$ref")
    if isinstance(reference, str) and depth < 8:
        return _resolved(definitions.get(reference.rpartition("/")[2]), definitions, depth + 1)
    return _merged(branch) if any(union in branch for union in _UNIONS) else branch


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    closed: Schema = {}
    for name, value in schema.items():
        if name in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            closed[name] = {key: _closed(nested) for key, nested in value.items()}
        elif name in _LISTS_OF_SCHEMAS and isinstance(value, list):
            closed[name] = [_closed(nested) for nested in value]
        elif name == "items":
            closed[name] = _closed(value)
        else:
            closed[name] = value
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema:
        if not isinstance(closed.get("properties"), dict):
            closed["properties"] = {}
        closed["additionalProperties"] = False
        closed["required"] = list(closed["properties"])
    return closed
