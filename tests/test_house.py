"""The house rules that no tool checks: what the documents promise, where time and environment are asked, one list each.

Each rule names its exceptions here, with the reason; there are few, and a new one is a decision.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ccrouter.admin.permissions import PERMISSIONS
from ccrouter.api import describe_api
from ccrouter.cli import cli
from ccrouter.config import read_environment

ROOT = Path(__file__).parents[1]
PROGRAM = sorted(path for place in ("shared", "functions") for path in (ROOT / place).rglob("*.py"))
MODULES = sorted(path for path in (*PROGRAM, *(ROOT / "tests").rglob("*.py")) if path.stat().st_size)
"""Those with something in them: an empty `__init__.py` has nothing to say."""
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()

SET_BY_THE_PLATFORM = {"AWS_LAMBDA_FUNCTION_NAME"}
"""Read to know where the program runs; nobody sets it, so that the table does not name it."""
ASKS_FOR_THE_TIME = {"shared/ccrouter/clock.py"}
READS_THE_ENVIRONMENT = {"shared/ccrouter/config.py"}

_CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}


def place_of(path: Path) -> str:
    """A file's path as the rules write it."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=place_of)
def test_every_module_says_in_one_sentence_what_it_is(path: Path) -> None:
    """Its docstring begins with a sentence."""
    said = ast.get_docstring(ast.parse(path.read_text()))
    assert said, "no docstring"
    assert re.search(r"[.!?:]$", said.partition("\n\n")[0]), "its first paragraph is no sentence"


def test_only_the_clock_is_asked_for_the_time() -> None:
    """So that a test can say what time it is."""
    assert {place for place, name in _attributes() if _is_clock(name)} == ASKS_FOR_THE_TIME


def test_only_the_settings_read_the_environment() -> None:
    """So that one table lists them all."""
    names = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    assert {place for place, name in _attributes() if name in names} == READS_THE_ENVIRONMENT
    assert not [place for place, name in _imported() if name in names | {"time.time", "time.monotonic"}]


def test_the_settings_table_lists_what_is_read() -> None:
    """Every setting, and none that is not there."""

    class Noted(Mapping[str, str]):
        def __init__(self) -> None:
            self.names: set[str] = set()

        def __getitem__(self, name: str) -> str:
            self.names.add(name)
            raise KeyError(name)

        def __iter__(self) -> Iterator[str]:
            return iter(())

        def __len__(self) -> int:
            return 0

    noted = Noted()
    read_environment(noted)
    table = README.partition("\n## Settings\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(noted.names - SET_BY_THE_PLATFORM)


def test_the_readme_names_the_two_commands_that_everything_needs() -> None:
    """One to run it, one to test it."""
    assert "make run" in README
    assert "make test" in README


@pytest.mark.parametrize("path", DOCUMENTS, ids=place_of)
def test_documents_name_only_what_is_there(path: Path) -> None:
    """Links lead somewhere; commands and make targets exist; settings are in the table."""
    text = path.read_text()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), f"the link to {target} leads nowhere"
    makefiles = "".join(file.read_text() for file in (ROOT / "Makefile", ROOT / "tests/tools.mk"))
    for target in re.findall(r"(?:`|^    |^)make ([a-z][a-z-]*)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefiles, re.MULTILINE), f"there is no make {target}"
    for command in re.findall(r"(?:^|[`/ ])ccrouter ((?:[a-z]+ ?)+)", text, re.MULTILINE):
        if command.split()[0] in cli.list_commands(click.Context(cli)):
            words = command.split()[: 2 if command.split()[0] in ("keys", "credentials", "prices") else 1]
            assert CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0, f"there is no ccrouter {' '.join(words)}"
    known = set(re.findall(r"^\| `(CCR_[A-Z_]+)` \|", README, re.MULTILINE))
    assert set(re.findall(r"\bCCR_[A-Z][A-Z_]+\b", text)) <= known


def test_lock_files_name_no_registry() -> None:
    """Where packages come from is the business of whoever installs them: a mirror must do as well."""
    locks = [*(ROOT / "requirements").glob("*.lock"), *(ROOT / "tests").rglob("package-lock.json")]
    assert len(locks) >= 4
    for lock in locks:
        if "node_modules" not in lock.parts:
            assert not re.search(r"https?://|--index-url|--find-links", lock.read_text()), place_of(lock)


def test_every_operation_has_a_permission_and_no_permission_is_left_over() -> None:
    """The rows of `permissions.py` are the operations of the API's description."""
    operations = [operation for path in describe_api()["paths"].values() for operation in path.values()]
    assert sorted(operation["operationId"] for operation in operations) == sorted(PERMISSIONS)


def _attributes() -> Iterator[tuple[str, str]]:
    """Every `owner.name` in the program, with the file it stands in."""
    for path in PROGRAM:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and (owner := _last_name(node.value)) is not None:
                yield place_of(path), f"{owner}.{node.attr}"


def _imported() -> Iterator[tuple[str, str]]:
    """Every `from owner import name` in the program, with the file it stands in."""
    for path in PROGRAM:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield place_of(path), f"{node.module}.{alias.name}"


def _last_name(node: Any) -> str | None:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


def _is_clock(name: str) -> bool:
    owner, _, attribute = name.partition(".")
    return attribute in _CLOCKS.get(owner, ())
