"""Schemas of the tools that Anthropic defines and clients run, for models that must be told them.

Source: platform.claude.com/docs, "Bash tool", "Text editor tool" and "Memory tool", checked 2026-11-23.
"""

from typing import Any

_PATH = {"type": "string", "description": "Absolute path to a file or directory."}


def _commands(*names: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(names), "description": "What to do."}


_RANGE = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "For view: the first and the last line to show, counted from 1; -1 as the last means the end.",
}
_LINE = {"type": "integer", "description": "For insert: the line after which the text goes in; 0 means the beginning."}

KNOWN_TOOLS: dict[str, dict[str, Any]] = {
    "bash": {
        "description": "Runs a command in a bash session that is kept between calls.",
        "schema": {
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "The command to run."},
                "restart": {"type": "boolean", "description": "Restarts the session instead."},
            },
        },
    },
    "text_editor": {
        "description": "Views, creates and edits text files.",
        "schema": {
            "type": "object",
            "properties": {
                "command": _commands("view", "create", "str_replace", "insert", "undo_edit"),
                "path": _PATH,
                "file_text": {"type": "string", "description": "For create: the content of the file."},
                "old_str": {
                    "type": "string",
                    "description": "For str_replace: the text to replace; it must be unique.",
                },
                "new_str": {"type": "string", "description": "For str_replace: the text to put in its place."},
                "insert_line": _LINE,
                "insert_text": {"type": "string", "description": "For insert: the text."},
                "view_range": _RANGE,
            },
            "required": ["command", "path"],
        },
    },
    "memory": {
        "description": "Reads and keeps notes in files below /memories, for later conversations.",
        "schema": {
            "type": "object",
            "properties": {
                "command": _commands("view", "create", "str_replace", "insert", "delete", "rename"),
                "path": {"type": "string", "description": "Path below /memories."},
                "view_range": _RANGE,
                "file_text": {"type": "string", "description": "For create: the content of the file."},
                "old_str": {"type": "string", "description": "For str_replace: the text to replace."},
                "new_str": {"type": "string", "description": "For str_replace: the text to put in its place."},
                "insert_line": _LINE,
                "insert_text": {"type": "string", "description": "For insert: the text."},
                "old_path": {"type": "string", "description": "For rename: the path now."},
                "new_path": {"type": "string", "description": "For rename: the path then."},
            },
            "required": ["command"],
        },
    },
}
"""By the tool's type without its date."""
