"""Fixtures of the tests of the whole router."""

from tests.app.pair import pair, second
from tests.app.sdk_loop import _closed_clients

__all__ = ["_closed_clients", "pair", "second"]
