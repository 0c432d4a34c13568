"""What every run of the command line needs besides the router."""

from collections.abc import Iterator

import pytest
from tests.cli.claude_code import ConnectSink
from tests.services import UPSTREAM_SECRET
from tests.upstream import FakeUpstream


@pytest.fixture(scope="session")
def sink() -> Iterator[ConnectSink]:
    """What stands where the rest of the world would be."""
    with ConnectSink() as sink:
        yield sink


@pytest.fixture(scope="session")
def _shared_platform() -> Iterator[FakeUpstream]:
    with FakeUpstream(UPSTREAM_SECRET) as platform:
        yield platform


@pytest.fixture
def platform(_shared_platform: FakeUpstream) -> FakeUpstream:
    """A fake platform with no router before it; what a client may say to a router, it may say to this one."""
    _shared_platform.reset()
    _shared_platform.may_carry = ("connection", "accept-encoding")
    return _shared_platform
