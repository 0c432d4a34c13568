"""docs/adding-a-platform.md tells the truth: its files are there, its excerpts are theirs, its figures are counted."""

import re
from pathlib import Path

from ccrouter.credentials.kinds import KINDS
from ccrouter.platforms import contract
from ccrouter.platforms.registry import PLATFORMS
from tests.emulators.server import Emulator
from tests.platforms.cases import CASES

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "adding-a-platform.md").read_text()
SCENARIOS = {"text", "parallel_tools", "thinking", "tool_loop", "tool_call", "midstream_error", "slow"}
NAMED = sorted(set(re.findall(r"`((?:shared|tests)/[\w./-]+)`", GUIDE)))


def lines_of(place: str) -> int:
    """How long a file is."""
    return len((ROOT / place).read_text().splitlines())


def test_what_the_guide_names_is_there() -> None:
    """Files, folders, and the members of the contract that the story goes through."""
    assert len(NAMED) > 15
    assert [place for place in NAMED if not (ROOT / place).exists()] == []
    members = re.findall(r"`(Platform|Exchange)\.(\w+)`", GUIDE)
    assert {owner for owner, _ in members} == {"Platform", "Exchange"}
    assert [(owner, name) for owner, name in members if not hasattr(getattr(contract, owner), name)] == []


def test_excerpts_in_the_guide_stand_in_the_files_it_names() -> None:
    """Word for word."""
    excerpts = re.findall(r"```\n(.*?)```", GUIDE, re.DOTALL)
    sources = [(ROOT / place).read_text() for place in NAMED if place.endswith(".py")]
    assert len(excerpts) >= 5
    assert [excerpt for excerpt in excerpts if not any(excerpt in source for source in sources)] == []


def test_the_guides_figures_are_counted() -> None:
    """And its example is the shortest of the platforms."""
    told = {place: int(count) for place, count in re.findall(r"`([\w./]+\.py)` \((\d+) lines\)", GUIDE)}
    assert told == {place: lines_of(place) for place in told}
    modules = {f"shared/{target.partition(':')[0].replace('.', '/')}.py" for target in PLATFORMS.values()}
    assert min(modules, key=lines_of) == "shared/ccrouter/platforms/gemini.py"
    assert "shared/ccrouter/platforms/gemini.py" in told


def test_every_platform_has_what_the_guide_asks_for() -> None:
    """A credential's form for each, and a row of the table; the platform anthropic stands for whatever is behind it."""
    assert set(KINDS) == set(PLATFORMS)
    assert {case.platform for case in CASES} == set(PLATFORMS) - {"anthropic"}
    for case in CASES:
        assert issubclass(case.emulator, Emulator)
        assert set(case.emulator.scenarios) >= SCENARIOS, case.label
