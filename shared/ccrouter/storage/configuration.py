"""Everything that a configuration holds, read in one transaction."""

from sqlalchemy import Connection, select

from ccrouter.storage import credentials as stored_credentials
from ccrouter.storage import keys as stored_keys
from ccrouter.storage.credentials import StoredCredential
from ccrouter.storage.keys import StoredKey
from ccrouter.storage.tables import users as users_table
from ccrouter.storage.users import User, user_of


def users(connection: Connection) -> list[User]:
    """All users that are not deleted, the first ones first."""
    query = select(users_table).where(users_table.c.deleted_at.is_(None)).order_by(users_table.c.id)
    return [user_of(row) for row in connection.execute(query)]


def credentials(connection: Connection) -> list[StoredCredential]:
    """All credentials that are not deleted, the first ones first."""
    return sorted(stored_credentials.not_deleted(connection), key=lambda credential: credential.id)


def keys(connection: Connection) -> list[StoredKey]:
    """All keys that are not deleted, the first ones first."""
    return stored_keys.not_deleted(connection)
