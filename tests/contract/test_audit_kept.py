"""The audit log as PostgreSQL keeps it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine
from tests.services import an_admin

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage import audit
from ccrouter.storage.audit import HIDDEN, AuditFilters
from ccrouter.storage.rows import begun
from ccrouter.storage.users import User


def test_an_entry_keeps_what_differs_and_no_secret(engine: Engine) -> None:
    """At any depth; moments and amounts are texts, as JSON has them."""
    admin = an_admin(engine)
    until = datetime(2027, 1, 1, tzinfo=UTC)
    with engine.begin() as connection:
        audit.note(
            connection,
            actor=admin,
            action="credential.change",
            kind="credential",
            object_id="c1",
            before={"name": "a", "until": None, "auth": {"api_key": "sk-1"}, "options": {"region": "x"}},
            after={
                "name": "a", "until": until, "auth": {"api_key": "sk-2"},
                "options": {"region": "x", "list": [{"client_secret": "s-3", "note": "n"}]}, "amount": Decimal("1.50"),
            },
            client_ip="203.0.113.7",
        )  # fmt: skip
    (entry,) = audit.find(engine, AuditFilters()).items
    assert (entry.actor_id, entry.actor, entry.client_ip, entry.failed) == (admin.id, "admin", "203.0.113.7", False)
    assert entry.before == {"until": None, "auth": HIDDEN, "options": {"region": "x"}}
    assert entry.after == {
        "until": "2027-01-01T00:00:00Z", "auth": HIDDEN, "amount": "1.50",
        "options": {"region": "x", "list": [{"client_secret": HIDDEN, "note": "n"}]},
    }  # fmt: skip
    assert abs(entry.at - utc_now()) < timedelta(minutes=1)


def test_an_entry_goes_with_its_change(engine: Engine) -> None:
    """What is rolled back was never done, and nothing tells that it was."""

    with engine.connect() as connection, begun(connection) as same:
        audit.note(same, actor="command line", action="key.create", kind="key", object_id="k")
        connection.rollback()
    assert audit.find(engine, AuditFilters()).items == []
    with begun(engine) as own:
        audit.note(own, actor="command line", action="key.create", kind="key", object_id="k")
    assert [(entry.actor_id, entry.actor) for entry in audit.find(engine, AuditFilters()).items] == [
        (None, "command line")
    ]


def test_every_filter_finds_its_entries_and_no_others(engine: Engine) -> None:
    """Alone and together, page after page."""
    admin, other = an_admin(engine), an_admin(engine, "other")
    told: list[tuple[User | str, str, str | None, bool]] = [
        (admin, "key.create", "k1", False),
        (admin, "key.change", "k1", False),
        (other, "key.change", "k2", False),
        ("sign-in", "session.create", None, True),
    ]
    with engine.begin() as connection:
        for actor, action, object_id, failed in told:
            kind = action.partition(".")[0]
            audit.note(connection, actor=actor, action=action, kind=kind, object_id=object_id, failed=failed)

    def found(**fields: object) -> list[tuple[str, str | None]]:
        filters = AuditFilters(**fields)  # type: ignore[arg-type]  # the cases name members of it
        page = audit.find(engine, filters, limit=2)
        items = page.items
        while page.next_cursor is not None:
            page = audit.find(engine, filters, limit=2, cursor=page.next_cursor)
            items += page.items
        return sorted((entry.action, entry.object_id) for entry in items)

    every = sorted((action, object_id) for _, action, object_id, _ in told)
    assert found() == every
    assert found(actor=admin.id) == [("key.change", "k1"), ("key.create", "k1")]
    assert found(actor="other") == [("key.change", "k2")]
    assert found(actor=str(uuid7())) == []
    assert found(action="key.change") == [("key.change", "k1"), ("key.change", "k2")]
    assert found(kind="key", object_id="k1") == [("key.change", "k1"), ("key.create", "k1")]
    assert found(failed=True) == [("session.create", None)]
    assert found(since=utc_now() - timedelta(hours=1), until=utc_now() + timedelta(hours=1)) == every
    assert found(since=utc_now() + timedelta(hours=1)) == []
    assert found(until=utc_now() - timedelta(hours=1)) == []
    with pytest.raises(ValueError, match="cursor"):
        audit.find(engine, AuditFilters(), cursor="nonsense")
