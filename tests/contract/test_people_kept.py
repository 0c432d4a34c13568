"""People and their sessions as PostgreSQL keeps them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from tests.services import an_admin

from ccrouter.clock import utc_now
from ccrouter.storage import sessions, users
from ccrouter.storage.users import User

NO_ID = "this is no id"
UNKNOWN_ID = "01a20fa1-1e64-758e-be7d-0f5c33ab1360"


@pytest.fixture
def admin(engine: Engine) -> User:
    """The administrator."""
    return an_admin(engine)


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
