"""What was deleted: it comes back for 30 days, and what was purged is remembered as such."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from tests.services import an_admin

from ccrouter.access.keys import new_secret
from ccrouter.clock import utc_now
from ccrouter.credentials.vault import Vault
from ccrouter.storage import audit, credentials, keys, tombstones
from ccrouter.storage.audit import AuditFilters
from ccrouter.storage.tombstones import CREDENTIALS, KEPT, KEYS, Deletable, Standing


@pytest.fixture(params=["key", "credential"])
def an_object(request: pytest.FixtureRequest, engine: Engine, vault: Vault) -> tuple[Deletable, str]:
    """One object of each kind that is deleted this way."""
    if request.param == "key":
        return KEYS, keys.create(engine, an_admin(engine).id, new_secret(), {"name": "k"}).id
    return CREDENTIALS, credentials.create(engine, vault, "anthropic", {"api_key": "x"}, {"name": "c"}).id


def standing(engine: Engine, what: Deletable, object_id: str) -> Standing | None:
    """How it stands."""
    with engine.begin() as connection:
        return tombstones.standing_of(connection, what, object_id)


def test_what_was_deleted_comes_back_as_it_was(engine: Engine, an_object: tuple[Deletable, str]) -> None:
    """As often as one likes; what is in use cannot be restored or purged."""
    what, object_id = an_object
    assert not tombstones.restore(engine, what, object_id)
    assert not tombstones.purge(engine, what, object_id)
    for _ in range(2):
        assert tombstones.soft_delete(engine, what, object_id)
        assert not tombstones.soft_delete(engine, what, object_id)
        found = standing(engine, what, object_id)
        assert found is not None
        assert (found.deleted_at is None, found.purged_at) == (False, None)
        assert tombstones.restore(engine, what, object_id)
    found = standing(engine, what, object_id)
    assert found is not None
    assert found.deleted_at is None


def test_what_was_purged_is_gone_and_known_to_be(engine: Engine, an_object: tuple[Deletable, str]) -> None:
    """Nothing of it stays but its id, its owner's, and the moments; other kinds know nothing of it."""
    what, object_id = an_object
    before = standing(engine, what, object_id)
    assert before is not None
    tombstones.soft_delete(engine, what, object_id)
    assert tombstones.purge(engine, what, object_id)
    found = standing(engine, what, object_id)
    assert found is not None
    assert found.purged_at is not None
    assert (found.owner_id, found.name) == (before.owner_id, None)
    assert not tombstones.restore(engine, what, object_id)
    assert not tombstones.purge(engine, what, object_id)
    assert standing(engine, CREDENTIALS if what is KEYS else KEYS, object_id) is None
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {what.table.name}")).scalar_one() == 0


@pytest.mark.parametrize("object_id", ["", "nonsense", "01a21062-a7c5-738d-b814-0d7d5836315f"])
def test_what_never_was_has_no_standing(engine: Engine, object_id: str) -> None:
    """Neither in use nor purged."""
    assert standing(engine, KEYS, object_id) is None
    assert not tombstones.purge(engine, KEYS, object_id)


def test_after_thirty_days_it_is_purged_by_itself(engine: Engine, an_object: tuple[Deletable, str]) -> None:
    """Not before, and never what is in use; the audit log tells."""
    what, object_id = an_object
    assert tombstones.purge_expired(engine, utc_now() + KEPT + timedelta(days=1)) == 0
    tombstones.soft_delete(engine, what, object_id)
    assert tombstones.purge_expired(engine, utc_now() + KEPT - timedelta(minutes=1)) == 0
    assert tombstones.purge_expired(engine, utc_now() + KEPT + timedelta(minutes=1)) == 1
    (entry,) = audit.find(engine, AuditFilters(action=f"{what.kind}.purge")).items
    assert (entry.actor, entry.actor_id, entry.object_id) == (tombstones.BY_ITSELF, None, object_id)
