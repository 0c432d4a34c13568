"""The emulators of all platforms, each started once in a test process."""

import contextlib
from collections.abc import Iterator

import pytest
from tests.emulators.server import Emulator
from tests.platforms.cases import CASES


class Emulators:
    """The running emulators, by class; each starts at its first use."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._running: dict[type[Emulator], Emulator] = {}

    def of(self, kind: type[Emulator]) -> Emulator:
        """The one of this class, as new."""
        if kind not in self._running:
            self._running[kind] = self._stack.enter_context(kind())
        self._running[kind].reset()
        return self._running[kind]


@pytest.fixture(scope="session")
def written_cells(request: pytest.FixtureRequest) -> dict[str, dict[str, str]] | None:
    """Where cells are collected when the table is to be written, None when it is checked."""
    return {} if request.config.getoption("--write-platforms", default=False) else None


@pytest.fixture(scope="session")
def emulators() -> Iterator[Emulators]:
    """All of them."""
    with contextlib.ExitStack() as stack:
        yield Emulators(stack)
    assert len({case.label for case in CASES}) == len(CASES)
