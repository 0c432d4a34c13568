"""What comes round now and then."""

from sqlalchemy import Column, Table, Text

from ccrouter.storage.tables.base import metadata, moment

chores = Table(
    "chores",
    metadata,
    Column("name", Text, primary_key=True),
    moment("began_at", required=True),
    moment("ended_at"),
    Column("failure", Text),
)
"""When each chore of `ccrouter.worker` was done last, and what came in its way."""
