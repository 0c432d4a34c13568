"""What every run of the command line needs besides the router."""

from collections.abc import Iterator

import pytest
from tests.cli.claude_code import ConnectSink


@pytest.fixture(scope="session")
def sink() -> Iterator[ConnectSink]:
    """What stands where the rest of the world would be."""
    with ConnectSink() as sink:
        yield sink
