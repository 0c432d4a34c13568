"""The tools of a request: names, descriptions, schemas, and what must be told in the system text (kiro.md §5, 4-5)."""

from collections.abc import Iterable
from typing import Any

from ccrouter.dialects.kiro.names import ToolNames
from ccrouter.dialects.kiro.schema import clean_schema
from ccrouter.dialects.known_tools import KNOWN_TOOLS
from ccrouter.errors import InvalidRequest

_LONGEST_DESCRIPTION = 9_216
"""Longer ones are answered with 400 "Improperly formed request."; sources cut between 4,000 and 10,000."""
_EARLIER = "Tool used earlier in this conversation"


class Tools:
    """Reads `tools` and `tool_choice`; tools that only Anthropic's servers run are left out beside others.

    Raises InvalidRequest where such a tool is all that is asked for.
    """

    def __init__(self, tools: Any, choice: Any, *, as_is: bool, strictly: bool) -> None:
        self.names = ToolNames()
        self.told: list[str] = []
        """What belongs into the system text: long descriptions, then what is wanted of calls."""
        self._as_is = as_is and not strictly
        self._strictly = strictly
        self._specifications: list[dict[str, Any]] = []
        chosen = choice if isinstance(choice, dict) else {}
        kind = chosen.get("type")
        listed = tools if isinstance(tools, list) else []
        for index, tool in enumerate(listed):
            self._add(tool, f"tools.{index}", offered=kind != "none", alone=len(listed) == 1)
        if self._specifications:
            self._choose(kind, chosen)

    def specifications(self, used_names: Iterable[str]) -> list[dict[str, Any]]:
        """What is sent: the offered tools, then a placeholder for each sent name that only the history knows."""
        offered = {specification["name"] for specification in self._specifications}
        earlier = [name for name in dict.fromkeys(used_names) if name not in offered]
        return [
            {"toolSpecification": specification}
            for specification in (
                *self._specifications,
                *(_specification(name, _EARLIER, {"type": "object", "properties": {}}) for name in earlier),
            )
        ]

    def _add(self, tool: Any, where: str, *, offered: bool, alone: bool) -> None:
        if not isinstance(tool, dict):
            raise InvalidRequest(f"{where}: must be an object")
        kind, original = tool.get("type"), tool.get("name")
        if isinstance(kind, str) and kind != "custom":
            known = KNOWN_TOOLS.get(kind.rpartition("_")[0])
            if known is None:
                if alone:
                    raise InvalidRequest(f"{where}: the tool {original or kind} ({kind}) cannot be run on Kiro.")
                return
            tool = {"description": known["description"], "input_schema": known["schema"]}
        if not isinstance(original, str) or not original:
            raise InvalidRequest(f"{where}.name: must be a non-empty string")
        name = self.names.sent(original)
        if not offered or any(known["name"] == name for known in self._specifications):
            return
        description = tool.get("description")
        if not isinstance(description, str) or not description.strip():
            description = f"Tool: {name}"
        elif len(description) > _LONGEST_DESCRIPTION:
            self.told.append(f"## Tool: {name}\n\n{description}")
            description = f'The description of this tool stands in the system prompt, under "Tool: {name}".'
        schema = tool.get("input_schema")
        if not self._as_is or not isinstance(schema, dict):
            schema = clean_schema(schema, strictly=self._strictly)
        self._specifications.append(_specification(name, description, schema))

    def _choose(self, kind: Any, choice: dict[str, Any]) -> None:
        """A call cannot be forced or bounded; the model is asked."""
        if kind == "any":
            self.told.append("Call one of the available tools now; do not answer without a tool call.")
        elif kind == "tool" and isinstance(choice.get("name"), str):
            name = self.names.sent(choice["name"])
            self.told.append(f"Call the tool {name} now; do not answer without calling it.")
        if choice.get("disable_parallel_tool_use") is True:
            self.told.append("Call at most one tool at a time, and wait for its result.")


def _specification(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"json": schema}}
