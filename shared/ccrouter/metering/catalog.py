"""The price rows that come with the program, for the time before the first sync."""

from functools import cache
from importlib.resources import files

import msgspec

from ccrouter.metering.prices import PriceTable


@cache
def builtin_table() -> PriceTable:
    """The packaged table; read at its first use."""
    return msgspec.json.decode((files(__package__) / "catalog.json").read_bytes(), type=PriceTable)
