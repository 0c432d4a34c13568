"""Settings and price versions as PostgreSQL keeps them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from ccrouter.credentials.vault import Vault, new_master_key, read_master_key
from ccrouter.errors import SettingsError
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceTable
from ccrouter.storage import prices, settings
from ccrouter.storage.pricesync import genai_table, sync_prices


def test_a_setting_is_what_was_put_last(engine: Engine) -> None:
    """Anything that JSON holds."""
    assert settings.get(engine, "x") is None
    settings.put(engine, "x", {"a": [1, "é"]})
    settings.put(engine, "x", [False])
    assert settings.get(engine, "x") == [False]
    assert not settings.put_if_absent(engine, "x", 1)
    assert settings.put_if_absent(engine, "y", 1)


def test_of_many_who_set_one_does(engine: Engine) -> None:
    """First come, first served."""
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda n: settings.put_if_absent(engine, "x", n), range(8))).count(True) == 1


def test_a_database_is_bound_to_its_master_key(engine: Engine, vault: Vault) -> None:
    """The first start binds it; a start with another key ends with a sentence."""
    settings.check_master_key(engine, vault)
    settings.check_master_key(engine, vault)
    with pytest.raises(SettingsError, match="CCR_MASTER_KEY is not the key"):
        settings.check_master_key(engine, Vault(read_master_key(new_master_key())))


def test_a_price_version_comes_back_as_it_was(engine: Engine) -> None:
    """Every row in its order, exact numbers and dates; a version is written once."""
    assert prices.current_version(engine) is None
    table = builtin_table()
    assert prices.put(engine, table, "test")
    assert not prices.put(engine, PriceTable(version=table.version), "again")
    assert prices.current_version(engine) == table.version
    assert prices.load(engine, table.version) == table


def test_a_sync_puts_list_prices_in_force_once(engine: Engine) -> None:
    """A second one changes nothing; every model of the built-in table stays priced, and the same."""
    version, put = sync_prices(engine)
    assert put
    assert sync_prices(engine) == (version, False)
    assert prices.current_version(engine) == version
    synced, at = prices.load(engine, version), datetime(2026, 11, 23, tzinfo=UTC)
    assert synced.rows == genai_table().rows
    for row in builtin_table().rows:
        if row.holds(at):
            found = synced.find(row.platform, row.model, at)
            assert found is not None, row.model
            assert (found.rates, found.long_rates, found.us_factor, found.web_search_usd) == (
                row.rates, row.long_rates, row.us_factor, row.web_search_usd,
            ), row.model  # fmt: skip
            assert row.fast_rates in (None, found.fast_rates), row.model
