"""Every platform does what docs/platforms.md says of it: each cell of the table is what came of a conversation."""

import pytest
from tests.emulators.server import Emulator
from tests.platforms.abilities import ABILITIES, THINKING, TOOLS, Talk, message_of, results_for, said
from tests.platforms.cases import CASES, Case
from tests.platforms.running import Emulators
from tests.platforms.table import read_table, write_table
from tests.services import RunningRouter


def talk_to(case: Case, router: RunningRouter, emulators: Emulators) -> tuple[Talk, Emulator]:
    """A key that leads to a case's platform."""
    emulator = emulators.of(case.emulator)
    secret = router.new_key({"default": [case.target(router, emulator)]})
    return Talk(router, emulator, secret), emulator


@pytest.mark.parametrize("ability", ABILITIES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_platform_does_what_the_table_says(
    router: RunningRouter,
    emulators: Emulators,
    case: Case,
    ability: str,
    written_cells: dict[str, dict[str, str]] | None,
) -> None:
    """A strict emulator at the other end finds nothing to complain about."""
    talk, emulator = talk_to(case, router, emulators)
    cell = ABILITIES[ability](talk)
    assert emulator.violations == []
    if written_cells is not None:
        written_cells.setdefault(case.label, {})[ability] = cell
        write_table(written_cells, list(ABILITIES))
    else:
        assert read_table()[case.label][ability] == cell


@pytest.mark.parametrize("first", CASES, ids=lambda case: case.label)
def test_a_conversation_goes_on_elsewhere(router: RunningRouter, emulators: Emulators, first: Case) -> None:
    """Begun on one platform with thinking and a tool call, it is carried on by every other one."""
    talk, emulator = talk_to(first, router, emulators)
    emulator.script("tool_loop")
    emulator.call = ("first", {"n": 1})
    message = message_of(talk.stream(tools=TOOLS, thinking=THINKING))
    history = [*said("Hello?"), *results_for(message)]
    for case in CASES:
        other, strict = talk_to(case, router, emulators)
        strict.script("text")
        answer = message_of(other.stream(tools=TOOLS, thinking=THINKING, messages=history))
        assert answer["content"][-1]["type"] == "text", case.label
        assert strict.violations == [], case.label
