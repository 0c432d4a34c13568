"""Tools, the choice among them, and the form of the answer, before they are put into either API's words."""

import re
from dataclasses import dataclass
from typing import Any

from ccrouter.dialects.known_tools import KNOWN_TOOLS
from ccrouter.dialects.openai.names import ToolNames
from ccrouter.dialects.openai.pieces import text_in
from ccrouter.dialects.openai.schema import Schema, object_schema, strict_schema
from ccrouter.dialects.openai.vendors import Vendor
from ccrouter.errors import InvalidRequest

_CLIENT_TOOL = re.compile(r"(bash|text_editor|memory)_\d{8}")


@dataclass(frozen=True, slots=True)
class Tool:
    """One function."""

    name: str
    description: str | None
    parameters: Schema
    strict: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """`mode`: auto, required, none, or tool with a `name`; None says nothing."""

    mode: str | None = None
    name: str = ""
    parallel: bool | None = None


def read_tools(tools: Any, vendor: Vendor, names: ToolNames) -> list[Tool]:
    """The functions. Raises InvalidRequest for tools that a platform would have to run."""
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise InvalidRequest("tools: must be a list")
    return [_tool(tool, f"tools.{index}", vendor, names) for index, tool in enumerate(tools)]


def _tool(tool: Any, where: str, vendor: Vendor, names: ToolNames) -> Tool:
    if not isinstance(tool, dict):
        raise InvalidRequest(f"{where}: must be an object")
    kind = tool.get("type") or "custom"
    if kind == "custom":
        strict = tool.get("strict") is True and vendor.strict_schemas
        parameters = object_schema(tool.get("input_schema"))
        description = tool.get("description")
        return Tool(
            names.sent(text_in(tool, "name", where)),
            description if isinstance(description, str) else None,
            strict_schema(parameters) if strict else parameters,
            strict,
        )
    match = _CLIENT_TOOL.fullmatch(kind) if isinstance(kind, str) else None
    if match is None:
        raise InvalidRequest(f"{where}: the tool {kind} is not available on the platform openai")
    known = KNOWN_TOOLS[match[1]]
    return Tool(names.sent(text_in(tool, "name", where)), known["description"], known["schema"], strict=False)


def read_choice(choice: Any, names: ToolNames, *, may_force: bool) -> Choice:
    """The choice; forcing becomes "auto" where the model refuses it."""
    if choice is None:
        return Choice()
    kind = choice.get("type") if isinstance(choice, dict) else None
    parallel = False if isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True else None
    if kind in ("auto", "none"):
        return Choice(kind, parallel=parallel)
    if kind not in ("any", "tool"):
        raise InvalidRequest("tool_choice.type: must be auto, any, tool or none")
    if not may_force:
        return Choice("auto", parallel=parallel)
    if kind == "any":
        return Choice("required", parallel=parallel)
    return Choice("tool", names.sent(text_in(choice, "name", "tool_choice")), parallel)


def output_schema(document: dict[str, Any], vendor: Vendor) -> Schema | None:
    """The schema that the answer must follow."""
    config = document.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else None
    if wanted is None:
        return None
    if (
        not isinstance(wanted, dict)
        or wanted.get("type") != "json_schema"
        or not isinstance(wanted.get("schema"), dict)
    ):
        raise InvalidRequest("output_config.format: must be a json_schema with its schema")
    schema: Schema = wanted["schema"]
    return strict_schema(schema) if vendor.strict_schemas else schema
