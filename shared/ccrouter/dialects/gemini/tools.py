"""Tools and tool choice in the dialect (gemini.md §3, antigravity.md §5)."""

from dataclasses import dataclass
from typing import Any

from ccrouter.dialects.gemini.code_assist_schema import clean_code_assist
from ccrouter.dialects.gemini.manner import Manner, Mended, Tuning
from ccrouter.dialects.gemini.media import text_of
from ccrouter.dialects.gemini.names import Names
from ccrouter.dialects.gemini.schema import clean, clean_openapi
from ccrouter.dialects.known_tools import KNOWN_TOOLS
from ccrouter.errors import InvalidRequest

_MOST_TOOLS = 512
_WEB_SEARCH = "web_search_"
_SERVER_TOOLS = (
    _WEB_SEARCH,
    "web_fetch_",
    "code_execution_",
    "tool_search_tool_",
    "advisor_",
    "mcp_toolset",
    "computer_",
)
"""Tools that Anthropic's servers run, or that only Claude was trained for: they have no schema of their own."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a web search tool asks for."""

    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    place: str = ""


class Tools:
    """The request's tools, read once."""

    def __init__(self, tools: Any, manner: Manner, tuning: Tuning, names: Names, mended: Mended) -> None:
        self.search: Search | None = None
        self.warnings: list[str] = []
        self._manner = manner
        self._tuning = tuning
        self._names = names
        self._mended = mended
        self._declarations: list[dict[str, Any]] = []
        if tools is None:
            return
        if not isinstance(tools, list):
            raise InvalidRequest("tools: must be a list")
        if len(tools) > _MOST_TOOLS:
            raise InvalidRequest(f"tools: the platform {manner.platform} takes at most {_MOST_TOOLS}")
        for index, tool in enumerate(tools):
            if not isinstance(tool, dict):
                raise InvalidRequest(f"tools.{index}: must be an object")
            self._read(tool, f"tools.{index}", alone=len(tools) == 1)

    def encoded(self) -> list[dict[str, Any]] | None:
        """`tools` of the request."""
        if self.search is not None:
            # Vertex knows `excludeDomains`, the Gemini API does not: both are told in words (`instruction`).
            return [{"googleSearch": {}}]
        return [{"functionDeclarations": self._declarations}] if self._declarations else None

    def config(self, choice: Any) -> dict[str, Any] | None:
        """`toolConfig` of the request."""
        if not self._declarations:
            return None
        kind = choice.get("type") if isinstance(choice, dict) else None
        if isinstance(choice, dict) and choice.get("disable_parallel_tool_use"):
            self.warnings.append("tool_choice.disable_parallel_tool_use is not enforceable upstream")
        if choice is None or kind == "auto":
            validated = self._manner.claude or self._tuning.validated_calls
            mode: dict[str, Any] | None = {"mode": "VALIDATED"} if validated else None
        elif kind == "any":
            mode = {"mode": "ANY"}
        elif kind == "tool":
            name = self._names.sent(text_of(choice, "name", "tool_choice"))
            mode = {"mode": "ANY", "allowedFunctionNames": [name]}
        elif kind == "none":
            mode = {"mode": "NONE"}
        else:
            raise InvalidRequest("tool_choice.type: must be one of any, auto, none, tool")
        return None if mode is None else {"functionCallingConfig": mode}

    def instruction(self) -> str:
        """What the search tool asks for and Google's has no field for, said in words."""
        search = self.search
        if search is None:
            return ""
        said = []
        if search.allowed_domains:
            said.append(f"Search only these sites: {', '.join(search.allowed_domains)}.")
        if search.blocked_domains:
            said.append(f"Do not use these sites: {', '.join(search.blocked_domains)}.")
        if search.place:
            said.append(f"The user is in {search.place}.")
        return " ".join(said)

    def _read(self, tool: dict[str, Any], where: str, *, alone: bool) -> None:
        kind = tool.get("type")
        if kind is None or kind == "custom":
            self._declare(text_of(tool, "name", where), tool.get("description"), tool.get("input_schema"), where)
        elif isinstance(kind, str) and (known := KNOWN_TOOLS.get(kind.rpartition("_")[0])) is not None:
            self._declare(text_of(tool, "name", where), known["description"], known["schema"], where)
        elif isinstance(kind, str) and kind.startswith(_SERVER_TOOLS):
            self._server_tool(tool, kind, where, alone=alone)
        else:
            raise InvalidRequest(f"{where}: a tool of type {kind} is not supported on {self._manner.platform}")

    def _server_tool(self, tool: dict[str, Any], kind: str, where: str, *, alone: bool) -> None:
        grounds = self._tuning.grounding and not self._manner.claude
        if kind.startswith(_WEB_SEARCH) and alone and grounds:
            self.search = Search(
                _domains(tool, "allowed_domains", where),
                _domains(tool, "blocked_domains", where),
                _place(tool.get("user_location")),
            )
            return
        if self._manner.code_assist and not alone:
            # antigravity.md §5 step 10: this host runs none of them; the other tools still serve.
            self.warnings.append(f"{where}: {kind} dropped")
            return
        hint = " together with other tools" if kind.startswith(_WEB_SEARCH) and grounds else ""
        raise InvalidRequest(
            f"{where}: the server tool {kind} is not supported on the platform {self._manner.platform}{hint}"
        )

    def _declare(self, name: str, description: Any, schema: Any, where: str) -> None:
        if not name:
            raise InvalidRequest(f"{where}.name: Field required")
        declaration: dict[str, Any] = {"name": self._names.sent(name)}
        if isinstance(description, str) and description:
            declaration["description"] = description
        try:
            member, cleaned = self._cleaned(schema)
        except RecursionError:
            raise InvalidRequest(f"{where}.input_schema: is nested too deeply") from None
        if cleaned is not None:
            declaration[member] = cleaned
        self._declarations.append(declaration)

    def _cleaned(self, schema: Any) -> tuple[str, dict[str, Any] | None]:
        if self._manner.code_assist:
            return "parameters", clean_code_assist(schema, claude=self._manner.claude)
        if self._mended.plain_parameters:
            return "parameters", clean_openapi(schema)
        return "parametersJsonSchema", clean(schema)


def _domains(tool: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = tool.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(domain, str) for domain in value):
        raise InvalidRequest(f"{where}.{name}: must be a list of strings")
    return tuple(value)


def _place(location: Any) -> str:
    if not isinstance(location, dict):
        return ""
    names = (location.get(name) for name in ("city", "region", "country"))
    return ", ".join(name for name in names if isinstance(name, str) and name)
