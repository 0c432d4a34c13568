"""How users are shown: to administrators, to themselves, and to the audit log."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from ccrouter.admin.editing import month_start
from ccrouter.admin.schemas import MonthView, decimal_text
from ccrouter.admin.user_schemas import GithubAccount, UserView
from ccrouter.clock import utc_now
from ccrouter.storage import logs, users
from ccrouter.storage.users import User

_AUDITED = ("login", "name", "email", "role", "status", "limits", "github_login")


def user_views(engine: Engine, found: Sequence[User]) -> list[UserView]:
    """Users with what they have and what it cost this month."""
    ids = [user.id for user in found]
    if not ids:
        return []
    keys, spent = users.count_keys(engine, ids), logs.spent_by_users(engine, ids, month_start(utc_now()))
    return [_view(user, keys.get(user.id, 0), *spent.get(user.id, (Decimal(0), 0))) for user in found]


def user_view(engine: Engine, user: User) -> UserView:
    """One of them."""
    return user_views(engine, [user])[0]


def audited(user: User) -> dict[str, Any]:
    """What the audit log says of a user."""
    return {name: getattr(user, name) for name in _AUDITED}


def _view(user: User, keys: int, cost: Decimal, requests: int) -> UserView:
    github = None if user.github_id is None else GithubAccount(id=user.github_id, login=user.github_login or "")
    return UserView(
        id=user.id,
        login=user.login,
        name=user.name,
        email=user.email,
        avatar_url=user.avatar_url,
        github=github,
        has_password=user.has_password,
        role=user.role,
        status=user.status,
        language=user.language,
        theme=user.theme,
        limits=user.limits,
        keys=keys,
        month=MonthView(cost=decimal_text(cost), requests=requests),
        created_at=user.created_at,
        last_seen_at=user.last_seen_at,
        deleted_at=user.deleted_at,
    )
