"""People and their sessions as PostgreSQL keeps them."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from tests.services import an_admin

from ccrouter.access.keys import new_secret
from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage import keys, sessions, users
from ccrouter.storage.users import User, UserFilters

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


def test_two_logins_never_look_alike(engine: Engine) -> None:
    """What differs only in case is one name to people."""
    users.create(engine, "ada")
    with pytest.raises(IntegrityError):
        users.create(engine, "Ada")


def test_a_deleted_user_has_no_session(engine: Engine) -> None:
    """As one who is disabled."""
    ada = users.create(engine, "ada")
    session = sessions.start(engine, ada.id, utc_now() + timedelta(hours=1))
    users.change(engine, ada.id, {"deleted_at": utc_now()})
    assert sessions.find_active(engine, session.id) is None


def test_a_session_is_started_once(engine: Engine, admin: User) -> None:
    """Whoever names its id a second time, gets none; so a ticket of which it is made is of one use."""
    session_id, later = str(uuid7()), utc_now() + timedelta(hours=1)
    assert sessions.start(engine, admin.id, later, session_id=session_id).id == session_id
    with pytest.raises(IntegrityError):
        sessions.start(engine, admin.id, later, session_id=session_id)


def test_a_user_sees_and_ends_own_sessions_only(engine: Engine, admin: User) -> None:
    """Newest first, without those that have ended; another's id ends nothing."""
    later, ada = utc_now() + timedelta(hours=1), users.create(engine, "ada")
    mine = [sessions.start(engine, admin.id, later, user_agent=name) for name in ("a", "b")]
    hers = sessions.start(engine, ada.id, later)
    assert sessions.of_user(engine, admin.id) == mine[::-1]
    assert not sessions.revoke(engine, hers.id, user_id=admin.id)
    assert [sessions.revoke(engine, mine[0].id, user_id=admin.id) for _ in range(2)] == [True, False]
    assert sessions.of_user(engine, admin.id) == mine[1:]
    assert sessions.of_user(engine, ada.id) == [hers]


def test_people_are_found_by_what_is_known_of_them(engine: Engine, admin: User) -> None:
    """By role, status, and a part of login, name or mail; deleted ones by themselves."""
    ada = users.create(engine, "ada", name="Ada 100%", email="ada@example.com", github_id=7, github_login="adalove")
    ben = users.create(engine, "ben", status="pending")
    gone = users.create(engine, "gone", deleted_at=utc_now())

    def found(**filters: Any) -> list[str]:
        return [user.login for user in users.find(engine, UserFilters(**filters)).items]

    assert found() == ["ben", "ada", "admin"]
    assert found(role="admin") == ["admin"]
    assert found(status="pending") == [ben.login]
    assert found(q="EXAMPLE.com") == found(q="100%") == found(q="love") == [ada.login]
    assert found(q="%") == ["ada"]
    assert found(deleted=True) == [gone.login]
    assert (users.count_admins(engine), users.count_pending(engine)) == (1, 1)
    assert users.by_github_id(engine, 7) == ada


def test_of_two_administrators_who_leave_at_once_one_stays(engine: Engine, admin: User) -> None:
    """The second waits for the first and then sees that it is the last."""
    second = users.create(engine, "second", role="admin", password_hash="x")

    def leave(user: User) -> bool:
        with engine.begin() as connection:
            if users.is_last_admin(connection, user.id):
                return False
            time.sleep(0.05)
            users.change(connection, user.id, {"role": "member"})
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, (admin, second))) == [False, True]
    assert users.count_admins(engine) == 1


def test_one_who_cannot_sign_in_does_not_stand_for_an_administrator(engine: Engine, admin: User) -> None:
    """Neither without password and GitHub account, nor disabled, nor deleted."""
    users.create(engine, "machine", role="admin")
    users.create(engine, "off", role="admin", password_hash="x", status="disabled")
    users.create(engine, "gone", role="admin", password_hash="x", deleted_at=utc_now())
    with engine.begin() as connection:
        assert users.is_last_admin(connection, admin.id)
    users.create(engine, "octocat", role="admin", github_id=1)
    with engine.begin() as connection:
        assert not users.is_last_admin(connection, admin.id)


def test_keys_go_from_one_to_another(engine: Engine, admin: User) -> None:
    """All of them; deleted ones are not counted."""
    ada = users.create(engine, "ada")
    made = [keys.create(engine, ada.id, new_secret(), {"name": name}) for name in "abc"]
    keys.soft_delete(engine, made[0].id)
    assert users.count_keys(engine, [ada.id, admin.id]) == {ada.id: 2}
    assert sorted(users.keys_of(engine, ada.id)) == sorted(key.digest for key in made)
    with engine.begin() as connection:
        assert users.transfer_keys(connection, ada.id, admin.id) == 3
    assert users.count_keys(engine, [ada.id, admin.id]) == {admin.id: 2}
