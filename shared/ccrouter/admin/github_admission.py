"""Whom a sign-in with GitHub lets in: by the settings' lists, by an administrator's word, or not at all.

A person is the number of a GitHub account, never its login: a login changes hands, and a user of the same name here may
be somebody else.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from ccrouter.access.tickets import Ticket
from ccrouter.storage import audit, users
from ccrouter.storage.site_settings import GithubRules, MemberRules
from ccrouter.storage.users import User

WAITING = 200
"""How many may wait for approval: strangers must not fill the database."""
BY_GITHUB = "GitHub sign-in"
"""Who makes and lets in users, in the audit log."""


def is_named(rules: GithubRules, ticket: Ticket, is_in: Callable[[Ticket, str], bool]) -> bool:
    """Whether a list names this person; `is_in` says who belongs to an organisation."""
    if ticket.login.lower() in {login.lower() for login in rules.logins}:
        return True
    domain = (ticket.email or "").rpartition("@")[2].lower()
    if domain and domain in {listed.lower().removeprefix("@") for listed in rules.email_domains}:
        return True
    return any(is_in(ticket, organisation) for organisation in rules.organisations)


def admit(
    connection: Connection, ticket: Ticket, *, named: bool, rules: GithubRules, members: MemberRules, client_ip: str
) -> User | str:
    """The user who signs in, or why nobody does: `pending`, `disabled`, `not_allowed`, `queue_full`.

    Makes the user at the first sign-in. Raises IntegrityError where another sign-in of the same person just did.
    """
    user = users.by_github_id(connection, ticket.github_id)
    if user is None:
        return _make(connection, ticket, named=named, rules=rules, members=members, client_ip=client_ip)
    if user.deleted_at is not None:
        return "not_allowed"
    known: dict[str, Any] = {"github_login": ticket.login, "avatar_url": ticket.avatar_url}
    if ticket.email is not None:
        known["email"] = ticket.email
    if user.status == "pending" and named:
        user = _changed(connection, user, known | {"status": "active"})
        audit.note(
            connection,
            actor=BY_GITHUB,
            action="user.change",
            kind="user",
            object_id=user.id,
            before={"status": "pending"},
            after={"status": "active"},
            client_ip=client_ip,
        )
    elif any(getattr(user, name) != value for name, value in known.items()):
        user = _changed(connection, user, known)
    if user.status != "active":
        return user.status
    if user.role != "admin" and not named and not rules.approval:
        return "not_allowed"
    return user


def _make(
    connection: Connection, ticket: Ticket, *, named: bool, rules: GithubRules, members: MemberRules, client_ip: str
) -> User | str:
    if not named and not rules.approval:
        return "not_allowed"
    if not named and users.count_pending(connection) >= WAITING:
        return "queue_full"
    taken = users.is_taken(connection, ticket.login)
    user = users.create(
        connection,
        f"{ticket.login}-{ticket.github_id}" if taken else ticket.login,
        name=ticket.name,
        status="active" if named else "pending",
        email=ticket.email,
        avatar_url=ticket.avatar_url,
        github_id=ticket.github_id,
        github_login=ticket.login,
        limits=members.limits,
    )
    audit.note(
        connection,
        actor=BY_GITHUB,
        action="user.create",
        kind="user",
        object_id=user.id,
        after={"login": user.login, "github_id": ticket.github_id, "status": user.status},
        client_ip=client_ip,
    )
    return user if named else "pending"


def _changed(connection: Connection, user: User, changes: dict[str, Any]) -> User:
    changed = users.change(connection, user.id, changes)
    assert changed is not None  # noqa: S101 - read above, in the same transaction
    return changed
