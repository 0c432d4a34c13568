"""What members may do with keys of their own: the settings' rules, applied to a key they make or change.

Administrators are bound by none of this. What a rule forbids is refused when a key is made or changed; keys that are
there already stay as they are when a rule becomes stricter.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine

from ccrouter.access.limits import Limits, LimitsError, read_limits
from ccrouter.admin.problems import Problem, invalid
from ccrouter.routing.mapping import MappingError, read_mapping, targets_of
from ccrouter.storage import site_settings
from ccrouter.storage.site_settings import MemberRules
from ccrouter.storage.users import User

_PASSED_TO = "anthropic"
"""Where a name goes that no slot takes, while `default` is null (`product.md` §4)."""


def read_rules(place: Engine | Connection) -> MemberRules:
    """The rules in force."""
    return site_settings.read_topic(place, MemberRules)


def check_new_keys(rules: MemberRules, held: int, more: int = 1) -> None:
    """Raises Problem 403 where members make no keys, 409 where one who holds so many may not have `more`.

    For an answer that holds, count and insert in one transaction that has locked the member's row.
    """
    if not rules.may_create_keys:
        raise Problem(403, "Members make no keys here: ask an administrator for one.", code="members_make_no_keys")
    if held + more > rules.max_keys:
        raise Problem(
            409, f"You may have {rules.max_keys} keys and have {held}: delete one first.", code="too_many_keys"
        )


def member_fields(rules: MemberRules, member: User, fields: dict[str, Any], *, new: bool) -> dict[str, Any]:
    """The members of a key that a member sets, with what the rules put in. Raises Problem 422 for what they forbid.

    Ask this before any check that tells existing credentials from others: a member is not told which there are.
    """
    checked = dict(fields)
    if rules.mapping is not None:
        if fields.get("mapping") and fields["mapping"] != rules.mapping:
            raise invalid("mapping", "is the same for all keys of members here; leave it out", code="not_yours")
        if new or "mapping" in fields:
            checked["mapping"] = rules.mapping
    elif new or "mapping" in fields:
        checked["mapping"] = _own_mapping(rules, fields.get("mapping") or {})
    if fields.get("limits"):
        _check_limits(read_limits(member.limits), fields["limits"])
    return checked


def _own_mapping(rules: MemberRules, document: dict[str, Any]) -> dict[str, Any]:
    try:
        mapping = read_mapping(document)
    except MappingError as error:
        raise invalid(error.field, error.message) from None
    allowed = rules.allowed_platforms
    for field, target in targets_of(mapping):
        if target.credential_id is not None:
            raise invalid(f"{field}.credential_id", "is an administrator's to choose; leave it out", code="not_yours")
        if allowed is not None and target.platform not in allowed:
            names = ", ".join(allowed) or "none"
            raise invalid(f"{field}.platform", f"must be one that members may use: {names}", code="not_yours")
    if allowed is not None and _PASSED_TO not in allowed and mapping.default is None:
        return document | {"default": []}
    return document


def _check_limits(owner: Limits, document: dict[str, Any]) -> None:
    """Raises Problem 422 for a limit of a key above the same one of its owner, which would mislead."""
    try:
        asked = read_limits(document)
    except LimitsError as error:
        raise invalid(error.field, error.message) from None
    for name in ("rpm", "tpm", "concurrency"):
        _check_limit(f"limits.{name}", getattr(owner, name), getattr(asked, name))
    for window, amount in asked.spend.items():
        _check_limit(f"limits.spend.{window}", owner.spend.get(window), amount)


def _check_limit(field: str, owner: int | Decimal | None, asked: int | Decimal | None) -> None:
    if owner is not None and asked is not None and asked > owner:
        raise invalid(field, f"is above what you may use over all your keys: {owner}", code="above_own_limit")
