"""Fixtures of the tests of the whole router."""

from tests.app.pair import pair, second

__all__ = ["pair", "second"]
