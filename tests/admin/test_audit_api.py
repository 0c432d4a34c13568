"""The audit log over the admin API."""

import time

import httpx2
import pytest
from tests.admin.site import Site, assert_problem

from ccrouter.ids import uuid7
from ccrouter.storage import audit
from ccrouter.storage.users import User

AUDIT = "/api/v1/audit"


def test_an_administrator_reads_who_changed_what(site: Site, api: httpx2.Client, member: User) -> None:
    """Each entry with its actor, its object and the members before and after; pages follow each other."""
    thing = str(uuid7())
    for number in range(3):
        # Ids sort by the millisecond they were made in.
        time.sleep(0.002)
        with site.router.services.engine.begin() as connection:
            audit.note(
                connection, actor=member, action="key.change", kind="key", object_id=thing,
                before={"note": number}, after={"note": number + 1}, client_ip="203.0.113.7",
            )  # fmt: skip
    first = api.get(AUDIT, params={"object_id": thing, "actor": member.login, "limit": 2}).json()
    last = api.get(AUDIT, params={"object_id": thing, "limit": 2, "cursor": first["next_cursor"]}).json()
    entries = first["items"] + last["items"]
    assert last["next_cursor"] is None
    assert [entry["after"]["note"] for entry in entries] == [3, 2, 1]
    assert entries[0]["actor"] == {"id": member.id, "login": member.login}
    assert (entries[0]["kind"], entries[0]["client_ip"], entries[0]["failed"]) == ("key", "203.0.113.7", False)
    assert set(entries[0]) == {
        "id", "at", "actor", "action", "kind", "object_id", "failed", "before", "after", "client_ip",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"to": "1700000000"}, "to"),
        ({"failed": "perhaps"}, "failed"),
        ({"limit": "201"}, "limit"),
    ],
    ids=str,
)
def test_a_filter_that_cannot_be_is_named(api: httpx2.Client, query: dict[str, str], named: str) -> None:
    """422."""
    assert_problem(api.get(AUDIT, params=query), 422, "invalid", named)


def test_a_cursor_of_nowhere_is_a_problem(api: httpx2.Client) -> None:
    """As for every list."""
    assert_problem(api.get(AUDIT, params={"cursor": "nonsense"}), 400, "bad_cursor")


def test_members_do_not_read_it(member_api: httpx2.Client) -> None:
    """It tells of everybody."""
    assert_problem(member_api.get(AUDIT), 403, "forbidden")
