"""Alembic revisions, run by `storage.migrate`."""
