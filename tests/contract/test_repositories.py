"""What is kept in PostgreSQL: keys, people, sessions, credentials, settings, prices, and the list of requests."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from tests.services import an_admin

from ccrouter.access.keys import digest, new_secret
from ccrouter.clock import utc_now
from ccrouter.credentials.vault import Vault, new_master_key, read_master_key
from ccrouter.errors import SettingsError
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.catalog import builtin_table
from ccrouter.metering.prices import PriceTable
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.storage import credentials, keys, logs, prices, sessions, settings, users
from ccrouter.storage.logs import LogFilters
from ccrouter.storage.pricesync import genai_table, sync_prices
from ccrouter.storage.users import User

NO_ID = "this is no id"
UNKNOWN_ID = "01a20fa1-1e64-758e-be7d-0f5c33ab1360"


@pytest.fixture
def admin(engine: Engine) -> User:
    """The administrator."""
    return an_admin(engine)


def a_key(engine: Engine, owner: User, name: str = "k", **fields: Any) -> keys.StoredKey:
    """A stored key."""
    return keys.create(engine, owner.id, new_secret(), {"name": name, **fields})


# Keys


def test_a_keys_secret_is_not_stored(engine: Engine, admin: User) -> None:
    """Only its hash and the part that is shown."""
    secret = new_secret()
    key = keys.create(engine, admin.id, secret, {"name": "k", "tags": ["a"], "note": "n"})
    assert (key.prefix, key.digest) == (secret[:13], digest(secret))
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT api_keys::text FROM api_keys")).scalars()
    assert secret not in row
    assert keys.get(engine, key.id) == key
    assert (key.owner_login, key.tags, key.note, key.enabled, key.capture) == ("admin", ["a"], "n", True, "none")


def test_keys_are_listed_newest_first_in_parts(engine: Engine, admin: User) -> None:
    """Every key once; deleted ones in a list of their own; one owner's where asked."""
    ada = users.create(engine, "ada")
    made = [a_key(engine, (admin, ada)[number % 2], str(number)) for number in range(7)]
    gone = a_key(engine, admin, "gone")
    assert keys.soft_delete(engine, gone.id)
    seen: list[str] = []
    cursor = None
    while True:
        page = keys.find(engine, cursor=cursor, limit=3)
        seen += [key.name for key in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [key.name for key in reversed(made)]
    assert [key.name for key in keys.find(engine, owner_id=ada.id).items] == ["5", "3", "1"]
    assert [key.name for key in keys.find(engine, deleted=True).items] == ["gone"]
    with pytest.raises(ValueError, match="cursor"):
        keys.find(engine, cursor="nonsense")


def test_an_edit_of_an_older_version_changes_nothing(engine: Engine, admin: User) -> None:
    """Two who edit at once: the second learns of the first."""
    key = a_key(engine, admin)
    assert keys.change(engine, key.id, {"name": "first"}, if_updated_at=key.updated_at)
    assert not keys.change(engine, key.id, {"name": "second"}, if_updated_at=key.updated_at)
    assert not keys.soft_delete(engine, key.id, if_updated_at=key.updated_at)
    found = keys.get(engine, key.id)
    assert found is not None
    assert (found.name, found.deleted_at) == ("first", None)
    assert found.updated_at > key.updated_at


def test_a_rotated_key_has_one_secret(engine: Engine, admin: User) -> None:
    """The former one is unknown from then on."""
    key, secret = a_key(engine, admin), new_secret()
    assert keys.replace_secret(engine, key.id, secret)
    assert keys.find_by_digest(engine, key.digest) is None
    found = keys.find_by_digest(engine, digest(secret))
    assert found is not None
    assert found.id == key.id


def test_a_deleted_key_is_unknown_and_cannot_be_changed(engine: Engine, admin: User) -> None:
    """It is kept for the log's sake."""
    key = a_key(engine, admin)
    assert keys.soft_delete(engine, key.id)
    assert keys.find_by_digest(engine, key.digest) is None
    assert not keys.change(engine, key.id, {"enabled": True})
    assert not keys.replace_secret(engine, key.id, new_secret())
    assert not keys.soft_delete(engine, key.id)
    found = keys.get(engine, key.id)
    assert found is not None
    assert found.deleted_at is not None


@pytest.mark.parametrize("key_id", [NO_ID, UNKNOWN_ID, ""])
def test_an_unknown_key_is_not_there(engine: Engine, key_id: str) -> None:
    """Whatever stands in place of its id."""
    assert keys.get(engine, key_id) is None
    assert not keys.change(engine, key_id, {"name": "x"})
    assert not keys.soft_delete(engine, key_id)
    assert not keys.replace_secret(engine, key_id, new_secret())


def test_a_key_dies_with_its_owner(engine: Engine) -> None:
    """Disabled people have no keys that work."""
    ada = users.create(engine, "ada")
    key = a_key(engine, ada)
    users.change(engine, ada.id, {"status": "disabled"})
    found = keys.find_by_digest(engine, key.digest)
    assert found is not None
    assert not found.is_alive(utc_now())


def test_only_changeable_members_are_set(engine: Engine, admin: User, vault: Vault) -> None:
    """A slip of the code is an error, not a change of an owner."""
    key = a_key(engine, admin)
    with pytest.raises(ValueError, match="digest"):
        keys.change(engine, key.id, {"digest": "x"})
    with pytest.raises(ValueError, match="auth_sealed"):
        credentials.change(engine, vault, UNKNOWN_ID, {"auth_sealed": b"x"})


# People and sessions


def test_of_many_starts_one_makes_the_administrator(engine: Engine) -> None:
    """Several processes start at once on an empty database."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: users.ensure_admin(engine, "admin", f"hash-{number}"), range(8)))
    assert made.count(True) == 1
    assert users.count_admins(engine) == 1
    found = users.by_login(engine, "admin")
    assert found is not None
    assert found[1] == f"hash-{made.index(True)}"


def test_a_given_password_replaces_the_known_one(engine: Engine, admin: User) -> None:
    """Only where that is asked for."""
    assert not users.ensure_admin(engine, "admin", "other")
    assert not users.ensure_admin(engine, "admin", "given", replace_password=True)
    found = users.by_login(engine, "admin")
    assert found is not None
    assert (found[0].id, found[1]) == (admin.id, "given")


def test_a_login_is_taken_once(engine: Engine) -> None:
    """Two people do not share a name."""
    users.create(engine, "ada")
    with pytest.raises(IntegrityError):
        users.create(engine, "ada")


def test_people_who_are_not_there(engine: Engine) -> None:
    """By no id, and by no name."""
    assert users.by_id(engine, NO_ID) is None
    assert users.by_id(engine, UNKNOWN_ID) is None
    assert users.by_login(engine, "nobody") is None
    assert users.change(engine, UNKNOWN_ID, {"name": "x"}) is None


def test_a_session_ends_in_three_ways(engine: Engine, admin: User) -> None:
    """By time, by signing out, and with the user."""
    later = utc_now() + timedelta(hours=1)
    session = sessions.start(engine, admin.id, later, user_agent="x", client_ip="::1")
    found = sessions.find_active(engine, session.id)
    assert found == (session, admin)
    assert sessions.find_active(engine, sessions.start(engine, admin.id, utc_now()).id) is None
    signed_out = sessions.start(engine, admin.id, later)
    sessions.revoke(engine, signed_out.id)
    assert sessions.find_active(engine, signed_out.id) is None
    assert sessions.find_active(engine, NO_ID) is None
    users.change(engine, admin.id, {"status": "disabled"})
    assert sessions.find_active(engine, session.id) is None


def test_all_sessions_of_a_user_end_at_once(engine: Engine, admin: User) -> None:
    """And nobody else's."""
    later, ada = utc_now() + timedelta(hours=1), users.create(engine, "ada")
    mine = [sessions.start(engine, admin.id, later) for _ in range(2)]
    hers = sessions.start(engine, ada.id, later)
    sessions.revoke_all(engine, admin.id)
    assert [sessions.find_active(engine, session.id) for session in mine] == [None, None]
    assert sessions.find_active(engine, hers.id) is not None


# Credentials


def test_a_credentials_secret_is_sealed_at_rest(engine: Engine, vault: Vault) -> None:
    """Nothing in the row shows it; it opens with the key of this installation only."""
    auth = {"api_key": "sk-ant-very-secret"}
    made = credentials.create(engine, vault, "anthropic", auth, {"name": "main", "weight": 3})
    with engine.connect() as connection:
        row = connection.execute(text("SELECT credentials::text, auth_sealed FROM credentials")).one()
    assert "very-secret" not in row[0]
    assert b"very-secret" not in bytes(row[1])
    opened = credentials.open_one(engine, vault, made.id)
    assert opened is not None
    assert (opened.auth, opened.weight, opened.open_network) == (auth, 3, False)
    assert "very-secret" not in repr(opened)
    assert credentials.in_use(engine, Vault(read_master_key(new_master_key()))) == []


def test_a_sealed_secret_is_bound_to_its_row(engine: Engine, vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    """Copied to another row by hand, it does not open there."""
    first = credentials.create(engine, vault, "anthropic", {"api_key": "one"}, {"name": "one"})
    credentials.create(engine, vault, "anthropic", {"api_key": "two"}, {"name": "two"})
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE credentials SET auth_sealed = (SELECT auth_sealed FROM credentials WHERE id = :id)"),
            {"id": first.id},
        )
    with caplog.at_level(logging.ERROR):
        assert [item.name for item in credentials.in_use(engine, vault)] == ["one"]
    assert "two" in caplog.text


def test_another_secret_lifts_a_block_and_a_change_of_name_does_not(engine: Engine, vault: Vault) -> None:
    """A block says that the platform refused this secret."""
    made = credentials.create(engine, vault, "anthropic", {"api_key": "one"}, {"name": "one"})
    assert credentials.block(engine, made.id, "terms")
    assert credentials.change(engine, vault, made.id, {"name": "renamed"})
    assert credentials.in_use(engine, vault) == []
    found = credentials.get(engine, made.id)
    assert found is not None
    assert found.blocked_reason == "terms"
    assert credentials.change(engine, vault, made.id, {}, auth={"api_key": "two"})
    assert [item.auth for item in credentials.in_use(engine, vault)] == [{"api_key": "two"}]


def test_credentials_are_listed_by_platform(engine: Engine, vault: Vault) -> None:
    """Newest first, without secrets; deleted ones apart."""
    for name, platform in (("a", "anthropic"), ("b", "gemini"), ("c", "anthropic")):
        credentials.create(engine, vault, platform, {"api_key": "k"}, {"name": name})
    gone = credentials.find(engine, platform="gemini").items[0]
    assert credentials.soft_delete(engine, gone.id)
    assert [item.name for item in credentials.find(engine).items] == ["c", "a"]
    assert [item.name for item in credentials.find(engine, deleted=True).items] == ["b"]
    assert credentials.open_one(engine, vault, gone.id) is None
    assert not credentials.change(engine, vault, gone.id, {"name": "x"})
    assert not credentials.soft_delete(engine, NO_ID)


def test_the_credential_of_the_environment_follows_it(engine: Engine, vault: Vault) -> None:
    """Made, kept, changed and removed with CLAUDE_API_KEY and CLAUDE_BASE_URL; one, however many start at once."""

    def now() -> list[tuple[Any, ...]]:
        return [(item.auth["api_key"], item.base_url, item.open_network) for item in credentials.in_use(engine, vault)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: credentials.follow_environment(engine, vault, "one", None), range(6)))
    assert now() == [("one", None, True)]
    (first,) = credentials.find(engine).items
    credentials.follow_environment(engine, vault, "one", None)
    assert credentials.find(engine).items == [first]
    credentials.block(engine, first.id, "401")
    credentials.follow_environment(engine, vault, "two", "http://10.0.0.1")
    assert now() == [("two", "http://10.0.0.1", True)]
    credentials.follow_environment(engine, vault, None, None)
    assert now() == []
    credentials.follow_environment(engine, vault, "three", None)
    assert now() == [("three", None, True)]


# Settings and prices


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


# The list of requests


def a_row(engine: Engine, at: datetime, **fields: Any) -> str:
    """A stored record; returns its id."""
    record_id = uuid7(at)
    values: dict[str, Any] = {"id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id)}
    logs.insert_many(engine, [encode_record(CallRecord(**(values | fields)))])
    return str(record_id)


def cost_of(amount: str) -> Cost:
    """A cost of this amount."""
    zero = Decimal(0)
    return Cost(
        total=Decimal(amount), input=Decimal(amount), output=zero, cache_read=zero, cache_write=zero, other=zero,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip


NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY, USER, CREDENTIAL = (f"01a20fa3-6f38-786d-a4d2-491bb8bb1a{number}" for number in (47, 48, 49))


@pytest.mark.parametrize(
    "filters",
    [
        {"key_id": KEY},
        {"user_id": USER},
        {"credential_id": CREDENTIAL},
        {"platform": "anthropic"},
        {"model": "m"},
        {"status": "error"},
        {"kind": "test"},
        {"session_id": "s"},
        {"stream": True},
        {"min_cost": Decimal("0.5")},
        {"min_duration_ms": 1000},
        {"since": NOON, "until": NOON + timedelta(milliseconds=1)},
        {"key_id": KEY, "status": "error", "stream": True},
    ],
    ids=lambda filters: "+".join(filters),
)
def test_each_filter_finds_its_rows_and_no_others(engine: Engine, filters: dict[str, Any]) -> None:
    """Alone and together."""
    a_row(engine, NOON - timedelta(milliseconds=1))
    a_row(engine, NOON + timedelta(milliseconds=1), cost=cost_of("0.49"), duration_ms=999, key_id=str(uuid7()))
    wanted = a_row(
        engine, NOON, key_id=KEY, user_id=USER, credential_id=CREDENTIAL, platform="anthropic", model="m",
        status="error", kind="test", session_id="s", stream=True, cost=cost_of("0.5"), duration_ms=1000,
    )  # fmt: skip
    page = logs.find(engine, LogFilters(**filters))
    assert [str(row.id) for row in page.items] == [wanted]


@pytest.mark.parametrize("name", ["key_id", "user_id", "credential_id"])
def test_a_filter_for_what_is_no_id_finds_nothing(engine: Engine, name: str) -> None:
    """Not the rows that have none."""
    a_row(engine, NOON)
    filters: dict[str, Any] = {name: NO_ID}
    assert logs.find(engine, LogFilters(**filters)).items == []


def test_rows_are_read_in_parts_while_others_come(engine: Engine) -> None:
    """No row twice, none left out."""
    ids = [a_row(engine, NOON + timedelta(seconds=number)) for number in range(5)]
    first = logs.find(engine, LogFilters(), limit=2)
    a_row(engine, NOON + timedelta(hours=1))
    second = logs.find(engine, LogFilters(), cursor=first.next_cursor, limit=3)
    assert [str(row.id) for row in (*first.items, *second.items)] == list(reversed(ids))
    assert second.next_cursor is None


def test_what_keys_have_spent_is_summed_exactly(engine: Engine) -> None:
    """From a moment on, per key; a key without rows is not in the sum."""
    other = str(uuid7())
    for at, key, amount in (
        (NOON, KEY, "0.1"),
        (NOON, KEY, "0.2"),
        (NOON, other, "5"),
        (NOON - timedelta(1), KEY, "9"),
    ):
        a_row(engine, at, key_id=key, cost=cost_of(amount))
    a_row(engine, NOON, key_id=KEY)
    assert logs.spent_by_keys(engine, [KEY, other, str(uuid7())], NOON) == {
        KEY: (Decimal("0.3"), 3), other: (Decimal(5), 1),
    }  # fmt: skip


def test_a_row_that_is_not_there(engine: Engine) -> None:
    """By no id."""
    assert logs.get(engine, NO_ID) is None
    assert logs.get(engine, UNKNOWN_ID) is None
