"""Price versions as PostgreSQL keeps them: lists, own prices before them, and which of both is in force."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine
from tests.services import some_settings

from ccrouter.embedded import EmbeddedServices
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.price_changes import list_changes
from ccrouter.metering.prices import PriceRow, PriceTable, Rates
from ccrouter.services import Services
from ccrouter.storage import prices, pricesync
from ccrouter.storage.prices import StaleVersion
from ccrouter.storage.pricesync import genai_table, sync_prices
from ccrouter.worker.price_list import take_list_prices

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def a_row(model: str, amount: str = "1", platform: str = "anthropic") -> PriceRow:
    """A price."""
    return PriceRow(platform=platform, model=model, rates=Rates(input=Decimal(amount), output=Decimal(amount)))


def test_a_price_version_comes_back_as_it_was(engine: Engine) -> None:
    """Every row in its order, exact numbers and dates; a list is put in force once."""
    assert prices.current_version(engine) is None
    assert (prices.current(engine).id, prices.load_current(engine)) == (builtin_table().version, builtin_table())
    table = builtin_table()
    made = prices.put_list(engine, table, "test", "a note")
    assert (made.id, made.list_version, made.source, made.note) == (table.version, table.version, "test", "a note")
    assert prices.put_list(engine, table, "again") == made
    assert prices.versions(engine, 9) == [made] == [prices.current(engine)]
    assert prices.load_current(engine) == prices.load(engine, table.version) == table


def test_own_prices_stay_when_the_list_changes(engine: Engine) -> None:
    """And the list stays when they change; each of it is a version that is kept."""
    own = (a_row("claude-*"), a_row("x", platform="openai"))
    first = prices.put_own(engine, own, "admin", "ours")
    assert first.id.startswith(f"{builtin_table().version}@2")
    assert prices.load(engine, first.id) == msgspec.structs.replace(builtin_table(), version=first.id, own=own)
    second = prices.put_list(engine, PriceTable(version="v2", rows=(a_row("m"),)), "test")
    assert second.list_version == "v2"
    assert (prices.load_current(engine).rows, prices.load_current(engine).own) == ((a_row("m"),), own)
    third = prices.put_own(engine, (), "admin")
    assert (third.id, prices.load_current(engine).own) == ("v2", ())
    # A list that comes back after another was in force is in force again, under a name of its own.
    prices.put_list(engine, PriceTable(version="v3"), "test")
    again = prices.put_list(engine, PriceTable(version="v2", rows=(a_row("m"),)), "test")
    assert again.id.startswith("v2@")
    assert [version.list_version for version in prices.versions(engine, 9)] == [
        "v2", "v3", "v2", "v2", builtin_table().version,
    ]  # fmt: skip


def test_of_two_edits_of_one_version_one_is_refused(engine: Engine) -> None:
    """Whoever was slower must look at what the other has done."""
    version = prices.current(engine).id

    def put(number: int) -> bool:
        try:
            prices.put_own(engine, (a_row(f"m{number}"),), "admin", if_version=version)
        except StaleVersion:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(put, range(4))).count(True) == 1


def test_what_a_sync_changes_is_told_model_by_model() -> None:
    """New, gone and dearer models; another wording of the source is no change; own prices are named."""
    before = PriceTable(
        version="1", rows=(a_row("a"), a_row("b"), a_row("c")), own=(a_row("B*"), a_row("d", platform="openai"))
    )
    after = PriceTable(
        version="2", rows=(msgspec.structs.replace(a_row("a"), source="new words"), a_row("b", "2"), a_row("d"))
    )
    changes = list_changes(before, after)
    assert [(c.model, len(c.before), len(c.after), c.overridden) for c in changes] == [
        ("b", 1, 1, True), ("c", 1, 0, False), ("d", 0, 1, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-4-8", "3"),
        ("CLAUDE-OPUS-4-8-20260101[1m]", "3"),
        ("claude-haiku-4-5", "1"),
        ("claude-sonnet-5", "7"),
        ("gpt-5", None),
    ],
)
def test_an_own_price_goes_before_the_list(model: str, expected: str | None) -> None:
    """The first that fits the name, as it is or without date and suffix, and holds at the moment."""
    ended = msgspec.structs.replace(a_row("*", "9"), valid_until=NOW)
    table = PriceTable(
        version="1",
        rows=(a_row("claude-haiku-4-5", "2"), a_row("claude-sonnet-5", "7")),
        own=(ended, a_row("claude-opus-4-8", "3"), a_row("claude-?aiku-*", "1"), a_row("gpt-*", "5", "openai")),
    )
    found = table.find("anthropic", model, NOW)
    assert (None if found is None else str(found.rates.input)) == expected


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


def test_the_chore_takes_a_new_list_over_and_only_then_loads_it(
    database_url: str, embedded: EmbeddedServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Own prices stay before it, and what an administrator has set since does not bring it back."""
    services = Services.build(some_settings(database_url, embedded.redis_url, tmp_path))
    prices.put_own(services.engine, (a_row("m"),), "admin")
    take_list_prices(services)
    table = prices.load_current(services.engine)
    assert (table.rows, table.own) == (genai_table().rows, (a_row("m"),))
    prices.put_own(services.engine, (), "admin")
    version = prices.current(services.engine)
    monkeypatch.setattr(pricesync, "genai_table", None)
    take_list_prices(services)
    assert prices.current(services.engine) == version
    services.engine.dispose()
