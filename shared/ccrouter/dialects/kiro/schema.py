"""Tool schemas as the service takes them: the conservative subset of what clients report (kiro.md §5.4)."""

from typing import Any

_EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
_REMOVED = frozenset({"additionalProperties", "$schema", "$id", "$comment", "$defs", "definitions", "$ref"})
_BESIDE = frozenset({"strict", "cache_control", "eager_input_streaming"})
_REMOVED_STRICTLY = frozenset({"anyOf", "oneOf", "allOf", "pattern", "format", "default", "examples"})
_NAMED = ("properties", "patternProperties")
_SINGLE = ("items", "not")
_LISTED = ("prefixItems", "anyOf", "oneOf", "allOf")
_DEEPEST_REFERENCE = 8


def clean_schema(schema: Any, *, strictly: bool = False) -> dict[str, Any]:
    """A tool's `input_schema`; what is no schema of an object becomes an empty one.

    `strictly` also takes out what the service may have meant when it refused a schema (`TOOL_SCHEMA_INVALID`).
    """
    if not isinstance(schema, dict) or not _is_object(schema.get("type")):
        return dict(_EMPTY)
    top = {name: value for name, value in schema.items() if name not in _BESIDE}
    cleaned = _Cleaner(schema, strictly=strictly).clean(top)
    cleaned["type"] = "object"
    if not isinstance(cleaned.get("properties"), dict):
        cleaned["properties"] = {}
    return cleaned


def _is_object(kind: Any) -> bool:
    return kind is None or kind == "object" or (isinstance(kind, list) and "object" in kind)


class _Cleaner:
    def __init__(self, root: dict[str, Any], *, strictly: bool) -> None:
        definitions: dict[str, Any] = {}
        for place in ("definitions", "$defs"):
            if isinstance(found := root.get(place), dict):
                definitions |= {f"#/{place}/{name}": value for name, value in found.items()}
        self._definitions = definitions
        self._removed = _REMOVED | _REMOVED_STRICTLY if strictly else _REMOVED
        self._strictly = strictly

    def clean(self, schema: dict[str, Any], above: tuple[str, ...] = ()) -> dict[str, Any]:
        reference = schema.get("$ref")
        if isinstance(reference, str) and isinstance(target := self._definitions.get(_unescaped(reference)), dict):
            if reference in above or len(above) >= _DEEPEST_REFERENCE:
                return {"type": "object"}
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            return self.clean({**target, **beside}, (*above, reference))
        cleaned = {
            name: self._below(name, value, above)
            for name, value in schema.items()
            if value is not None and name not in self._removed
        }
        if self._strictly and "const" in cleaned:
            cleaned.setdefault("enum", [cleaned.pop("const")])
            cleaned.pop("const", None)
        if "required" in cleaned and not _names_any(cleaned["required"], cleaned.get("properties")):
            del cleaned["required"]
        return cleaned

    def _below(self, name: str, value: Any, above: tuple[str, ...]) -> Any:
        if name in _NAMED and isinstance(value, dict):
            return {key: self._each(below, above) for key, below in value.items()}
        if name in _LISTED or (name == "items" and isinstance(value, list)):
            return [self._each(below, above) for below in value] if isinstance(value, list) else value
        return self._each(value, above) if name in _SINGLE else value

    def _each(self, value: Any, above: tuple[str, ...]) -> Any:
        return self.clean(value, above) if isinstance(value, dict) else value


def _unescaped(reference: str) -> str:
    return reference.replace("~1", "/").replace("~0", "~")


def _names_any(required: Any, properties: Any) -> bool:
    """Whether a list of required names says anything: one of them is declared beside it."""
    return (
        isinstance(required, list)
        and isinstance(properties, dict)
        and any(isinstance(name, str) and name in properties for name in required)
    )
