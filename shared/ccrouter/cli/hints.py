"""What a user is told to type: the lines for Claude Code, and this program under the name it was called by."""

import shutil
import sys
from pathlib import Path

from ccrouter.routing.catalog import known_models


def program() -> str:
    """How to call this command line again from the same place."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m ccrouter"
    on_path = shutil.which("ccrouter")
    if on_path is not None and called.exists() and Path(on_path).samefile(called):
        return "ccrouter"
    return sys.argv[0]


def client_lines(address: str, secret: str) -> list[str]:
    """The three lines that make Claude Code use the router.

    Without the third Claude Code sends its background requests to the large model, unless the key looks like one of
    Anthropic's own (anthropic-messages.md §13.5).
    """
    haiku = next(model.id for model in known_models() if model.line == "haiku")
    return [
        f"export ANTHROPIC_BASE_URL={address}/proxy",
        f"export ANTHROPIC_AUTH_TOKEN={secret}",
        f"export ANTHROPIC_DEFAULT_HAIKU_MODEL={haiku}",
    ]
