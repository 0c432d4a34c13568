"""Tool schemas as Cloud Code Assist admits them: flattened, the rest told in descriptions (antigravity.md §5.1)."""

from typing import Any

import msgspec

from ccrouter.dialects.gemini.schema import each_schema, members, merge_all_of, resolve

PLACEHOLDER = "_placeholder"
"""A property that gives Claude's validated calls something required; it is taken out of the calls that come back."""

_TOLD = (
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "format",
)
# fmt: off
_DROPPED = frozenset({
    "$schema", "$id", "$comment", "$anchor", "title", "default", "examples", "additionalProperties",
    "patternProperties", "propertyNames", "dependencies", "dependentRequired", "dependentSchemas",
    "unevaluatedProperties", "unevaluatedItems", "contentMediaType", "contentEncoding", "deprecated", "readOnly",
    "writeOnly", "strict", "not", "if", "then", "else", "$defs", "definitions", "allOf", "anyOf", "oneOf", "const",
    "prefixItems",
})
# fmt: on


def clean_code_assist(schema: Any, *, claude: bool) -> dict[str, Any] | None:
    """A schema for `parameters`; None where nothing is sent (Gemini, an object without properties)."""
    root = schema if isinstance(schema, dict) else {}
    definitions = {**members(root, "definitions"), **members(root, "$defs")}
    node = _flat(root, definitions, ())
    if node.get("type") != "object":
        node = {"type": "object", "properties": {}}
    if node.get("properties"):
        return node if claude else _upper(node)
    if not claude:
        return None
    described = {"description": node["description"]} if "description" in node else {}
    return {
        "type": "object",
        **described,
        "properties": {PLACEHOLDER: {"type": "boolean", "description": "Always true."}},
        "required": [PLACEHOLDER],
    }


def _flat(schema: Any, definitions: dict[str, Any], above: tuple[str, ...]) -> dict[str, Any]:
    node = dict(schema) if isinstance(schema, dict) else {}
    reference = node.get("$ref")
    if isinstance(reference, str):
        target = resolve(reference, definitions)
        if reference in above or not isinstance(target, dict):
            return {"type": "object", "description": f"See: {reference.rpartition('/')[2]}"}
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _flat({**target, **beside}, definitions, (*above, reference))
    if isinstance(node.get("allOf"), list):
        # A branch that is a reference must be followed before it can be merged.
        node = merge_all_of(node, [_followed(branch, definitions, above) for branch in node["allOf"]])
        del node["allOf"]
        return _flat(node, definitions, above)
    if "const" in node:
        node.setdefault("enum", [node["const"]])
    notes: list[str] = []
    for name in ("anyOf", "oneOf"):
        branches = node.pop(name, None)
        if isinstance(branches, list) and branches:
            node, accepts = _best(node, [_flat(branch, definitions, above) for branch in branches])
            notes += accepts
    _single_type(node)
    _enum(node, notes)
    return _below(node, notes, definitions, above)


def _followed(branch: Any, definitions: dict[str, Any], above: tuple[str, ...]) -> Any:
    if isinstance(branch, dict) and isinstance(reference := branch.get("$ref"), str):
        target = resolve(reference, definitions)
        if reference not in above and isinstance(target, dict):
            return target
    return branch


def _best(node: dict[str, Any], branches: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """The node as its richest branch: an object with properties, else an array, else a scalar, else null."""
    real = [branch for branch in branches if branch.get("type") != "null"]
    nullable = {"nullable": True} if len(real) < len(branches) else {}
    if not real:
        return {**node, "type": "string", **nullable}, []
    best = min(real, key=_rank)
    kinds = list(dict.fromkeys(str(branch.get("type", "object")).lower() for branch in real))
    accepts = [f"accepts: {' | '.join(kinds)}"] if len(kinds) > 1 else []
    described = " ".join(text for part in (node, best) if isinstance(text := part.get("description"), str))
    merged = {**best, **node, **nullable}
    if described:
        merged["description"] = described
    return merged, accepts


def _rank(branch: dict[str, Any]) -> int:
    kind = branch.get("type")
    if kind == "object" and branch.get("properties"):
        return 0
    return 1 if kind == "array" else 2 if kind != "object" else 3


def _single_type(node: dict[str, Any]) -> None:
    kinds = node.get("type")
    if isinstance(kinds, list):
        kept = [kind for kind in kinds if kind != "null"]
        if len(kept) < len(kinds):
            node["nullable"] = True
        node["type"] = kept[0] if kept else "string"


def _enum(node: dict[str, Any], notes: list[str]) -> None:
    values = node.get("enum")
    if not isinstance(values, list) or not values:
        node.pop("enum", None)
        return
    kinds = {_type_of(value) for value in values if value is not None}
    kind = node.setdefault("type", kinds.pop() if len(kinds) == 1 else "string")
    if kind == "string":
        node["enum"] = [value if isinstance(value, str) else _words(value) for value in values]
    else:
        del node["enum"]
        notes.append(f"one of: {', '.join(map(_words, values))}")


def _below(
    node: dict[str, Any], notes: list[str], definitions: dict[str, Any], above: tuple[str, ...]
) -> dict[str, Any]:
    tuple_items = node.get("items") if isinstance(node.get("items"), list) else node.get("prefixItems")
    if isinstance(tuple_items, list) and not isinstance(node.get("items"), dict):
        node["items"] = tuple_items[0] if tuple_items else {}
    notes += [f"{name}: {_words(node.pop(name))}" for name in _TOLD if name in node]
    if node.get("additionalProperties") is False:
        notes.append("No extra properties allowed")
    kept = {key: value for key, value in node.items() if key not in _DROPPED and not key.startswith("x-")}
    if "properties" in kept:
        kept.setdefault("type", "object")
    elif "items" in kept:
        kept.setdefault("type", "array")
    kept.setdefault("type", "object" if not notes else "string")
    if kept["type"] == "array" and not isinstance(kept.get("items"), dict):
        kept["items"] = {"type": "string"}
    if not isinstance(kept.get("properties", {}), dict):
        kept["properties"] = {}
    kept = each_schema(kept, lambda schema: _flat(schema, definitions, above))
    _still_required(kept)
    if notes:
        told = ", ".join(notes)
        text = kept.get("description")
        kept["description"] = f"{text} ({told})" if isinstance(text, str) and text else told
    return kept


def _still_required(node: dict[str, Any]) -> None:
    wanted = node.pop("required", None)
    known = members(node, "properties")
    kept = (
        [name for name in wanted if isinstance(name, str) and name in known and not known[name].get("nullable")]
        if isinstance(wanted, list)
        else []
    )
    if kept:
        node["required"] = kept


def _upper(node: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = each_schema(node, lambda below: _upper(below) if isinstance(below, dict) else below)
    if isinstance(kind := copy.get("type"), str):
        copy["type"] = kind.upper()
    return copy


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "string"


def _words(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
