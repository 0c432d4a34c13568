"""What an administrator sets for the whole installation, each topic as one value with its defaults.

Rows hold only what was set; `read` fills in the rest, and `read_topic` gives one topic to whoever needs it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from ccrouter.storage.rows import begun
from ccrouter.storage.tables import settings

T = TypeVar("T", bound="Topic")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK = 0x63637273
"""One change at a time, so that of two who have read the same version one is refused."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together. Members that an older or newer version has written are left aside."""


class GithubRules(Topic, frozen=True, kw_only=True):
    """Who may sign in with GitHub: whom any of the lists names; nobody while all are empty."""

    logins: list[str] = []
    organisations: list[str] = []
    email_domains: list[str] = []
    approval: bool = True
    """Whether those whom no list names may ask, and wait for an administrator."""


class MemberRules(Topic, frozen=True, kw_only=True):
    """What members may do for themselves."""

    may_create_keys: bool = True
    max_keys: int = 10
    allowed_platforms: list[str] | None = None
    """None: every platform."""
    mapping: dict[str, Any] | None = None
    """The mapping of every key that a member makes; None: the member's own choice."""
    limits: dict[str, Any] = {}
    """Limits of a new member."""


class Retention(Topic, frozen=True, kw_only=True):
    """How long data is kept; None: for ever."""

    rows_days: int | None = None
    capture_days: int = 7


class Alerts(Topic, frozen=True, kw_only=True):
    """When webhooks tell of spend: at these hundredths of a budget."""

    thresholds: list[int] = msgspec.field(default_factory=lambda: [50, 80, 100])


TOPICS: dict[str, type[Topic]] = {
    "github": GithubRules,
    "members": MemberRules,
    "retention": Retention,
    "alerts": Alerts,
}
PLAIN: dict[str, Any] = {"default_mapping": {}, "time_zone": "UTC", "public_url": None}
"""The settings that are no topic, with their defaults."""
NAMES = (*PLAIN, *TOPICS)


def defaults() -> dict[str, Any]:
    """What holds where nobody has set anything."""
    return PLAIN | {name: msgspec.to_builtins(kind()) for name, kind in TOPICS.items()}


class SiteSettings(msgspec.Struct, frozen=True):
    """All settings, and when any was changed last."""

    values: dict[str, Any]
    updated_at: datetime


def read(place: Engine | Connection) -> SiteSettings:
    """Every setting, as JSON has it."""
    with begun(place) as connection:
        rows = connection.execute(select(settings).where(settings.c.name.in_(NAMES))).all()
    stored = {row.name: row.value for row in rows}
    values = {name: stored.get(name, default) for name, default in PLAIN.items()}
    values |= {name: msgspec.to_builtins(_topic(kind, stored.get(name))) for name, kind in TOPICS.items()}
    return SiteSettings(values, max((row.updated_at for row in rows), default=_NEVER))


def read_topic(place: Engine | Connection, kind: type[T]) -> T:
    """One topic."""
    name = next(name for name, known in TOPICS.items() if known is kind)
    with begun(place) as connection:
        stored = connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar_one_or_none()
    return _topic(kind, stored)


def change(connection: Connection, changes: Mapping[str, Any], *, if_updated_at: datetime | None = None) -> bool:
    """Sets these settings; None puts a default back. False where any has changed since `if_updated_at`."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    if if_updated_at is not None and read(connection).updated_at != if_updated_at:
        return False
    for name, value in changes.items():
        if name not in NAMES:
            raise ValueError(f"there is no setting {name}")
        if value is None:
            connection.execute(delete(settings).where(settings.c.name == name))
            continue
        statement = insert(settings).values(name=name, value=value, updated_at=func.clock_timestamp())
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["name"],
                set_={"value": statement.excluded.value, "updated_at": statement.excluded.updated_at},
            )
        )
    return True


def _topic(kind: type[T], stored: Any) -> T:
    return kind() if stored is None else msgspec.convert(stored, kind)
