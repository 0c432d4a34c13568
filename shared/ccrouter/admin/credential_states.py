"""Whether requests use a credential now, and why not: from its row and from what the processes have seen."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ccrouter.admin.schemas import CredentialState
from ccrouter.routing.condition import Condition
from ccrouter.storage.credentials import StoredCredential


def state_of(item: StoredCredential, conditions: Mapping[str, Condition], now: datetime) -> CredentialState:
    """The state that counts most: disabled, then blocked, then what cools longest.

    What holds for one model or a group of models names it.
    """
    if not item.enabled:
        return CredentialState(status="disabled")
    if item.is_blocked(now):
        return CredentialState(status="blocked", reason=item.blocked_reason, until=item.blocked_until)
    moment = now.timestamp()
    told = [(scope, made) for scope, made in conditions.items() if made.blocks(moment) or made.cools(moment)]
    if not told:
        return CredentialState(status="ready")
    scope, made = max(told, key=lambda each: (each[0] == "", each[1].until or float("inf")))
    return CredentialState(
        status="blocked" if made.blocked and not scope else "cooling",
        reason=f"{scope}: {made.reason}" if scope else made.reason,
        until=datetime.fromtimestamp(made.until, UTC) if made.until else None,
    )
