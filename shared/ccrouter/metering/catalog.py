"""The price rows that come with the program, for the time before the first sync."""

from functools import cache
from importlib.resources import files

import msgspec

from ccrouter.metering.clouds import with_clouds
from ccrouter.metering.prices import PriceTable


@cache
def builtin_table() -> PriceTable:
    """The packaged table; read at its first use."""
    table = msgspec.json.decode((files(__package__) / "catalog.json").read_bytes(), type=PriceTable)
    return PriceTable(version=table.version, rows=with_clouds(table.rows))
