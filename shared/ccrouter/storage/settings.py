"""Settings that live in the database, by name; and the proof that the master key is still the same."""

import base64
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from ccrouter.clock import utc_now
from ccrouter.credentials.vault import Vault, VaultError
from ccrouter.errors import SettingsError
from ccrouter.storage.rows import begun
from ccrouter.storage.tables import settings

DEFAULT_MAPPING = "default_mapping"
"""Name of the mapping that fills the slots a key leaves open."""

_PROOF = "master_key_proof"
_PROOF_TEXT = b"ccrouter"


def get(engine: Engine, name: str) -> Any:
    """The value, None where it was never set."""
    with engine.connect() as connection:
        return connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar_one_or_none()


def put(place: Engine | Connection, name: str, value: Any) -> None:
    """Sets a value (anything JSON can hold except null)."""
    statement = insert(settings).values(name=name, value=value, updated_at=utc_now())
    with begun(place) as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["name"],
                set_={"value": statement.excluded.value, "updated_at": statement.excluded.updated_at},
            )
        )


def put_if_absent(engine: Engine, name: str, value: Any) -> bool:
    """Sets a value unless there is one; says whether it was set now. Of several that try at once, one does."""
    with engine.begin() as connection:
        return bool(
            connection.execute(
                insert(settings)
                .values(name=name, value=value, updated_at=utc_now())
                .on_conflict_do_nothing(index_elements=["name"])
            ).rowcount
        )


def check_master_key(engine: Engine, vault: Vault) -> None:
    """Raises SettingsError where this database was written under another master key.

    The first start stores a sealed word, every later one opens it.
    """
    sealed = base64.b64encode(vault.seal(_PROOF_TEXT, _PROOF)).decode()
    if put_if_absent(engine, _PROOF, sealed):
        return
    try:
        vault.open(base64.b64decode(get(engine, _PROOF)), _PROOF)
    except VaultError:
        raise SettingsError(
            ["CCR_MASTER_KEY is not the key this database was written with, so that its credentials cannot be opened"]
        ) from None
