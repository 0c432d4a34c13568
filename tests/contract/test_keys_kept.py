"""API keys as PostgreSQL keeps them: hashed, owned, listed, and never changed unseen."""

from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.services import an_admin

from ccrouter.access.keys import digest, new_secret
from ccrouter.clock import utc_now
from ccrouter.credentials.vault import Vault
from ccrouter.storage import credentials, keys, users
from ccrouter.storage.keys import KeyFilters
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
    assert [key.name for key in keys.find(engine, KeyFilters(owner_id=ada.id)).items] == ["5", "3", "1"]
    assert [key.name for key in keys.find(engine, KeyFilters(deleted=True)).items] == ["gone"]
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
