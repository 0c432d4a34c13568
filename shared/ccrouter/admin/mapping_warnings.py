"""What in a mapping may be stored and yet leads nowhere as things stand."""

from collections.abc import Sequence
from typing import Any

from ccrouter.admin.schemas import MappingWarning
from ccrouter.clock import utc_now
from ccrouter.platforms.registry import SELF_ANSWERING, UNMAPPED_PLATFORM
from ccrouter.routing.mapping import Target, read_mapping, targets_of
from ccrouter.storage.credentials import StoredCredential


def mapping_warnings(document: dict[str, Any], credentials: Sequence[StoredCredential]) -> list[MappingWarning]:
    """The targets of a stored mapping that no credential serves; `credentials` are those that are not deleted.

    No account is named: members read them too.
    """
    mapping = read_mapping(document)
    targets = targets_of(mapping)
    if mapping.default is None:
        # What no slot names goes there under its own name; that nobody serves it is no news for a full mapping.
        slots = {name for name, chain in mapping.slots.items() if chain}
        targets += [] if slots else [("mapping.default", Target(UNMAPPED_PLATFORM, ""))]
    found = []
    for field, target in targets:
        reason = None if target.platform in SELF_ANSWERING else _reason(target, credentials)
        if reason is not None:
            found.append(MappingWarning(field=field, code=reason[0], message=reason[1]))
    return found


def _reason(target: Target, credentials: Sequence[StoredCredential]) -> tuple[str, str] | None:
    pinned = target.credential_id
    serving = [item for item in credentials if item.platform == target.platform and pinned in (None, item.id)]
    whose = f"The pinned credential of {target.platform}" if pinned else f"No credential of {target.platform}"
    if not serving:
        return "no_credential", f"{whose} {'is gone' if pinned else 'is there'}: the target is passed over."
    serving = [item for item in serving if item.enabled]
    if not serving:
        return "disabled", f"{whose} {'is disabled' if pinned else 'is enabled'}: the target is passed over."
    if target.model:
        serving = [item for item in serving if item.models is None or target.model in item.models]
    if not serving:
        return "model_not_served", f"{whose} serves {'not ' if pinned else ''}the model {target.model}."
    if all(_is_blocked(item) for item in serving):
        return "blocked", f"{whose} {'is blocked' if pinned else 'is free: all are blocked'}."
    return None


def _is_blocked(credential: StoredCredential) -> bool:
    until = credential.blocked_until
    return credential.blocked_at is not None and (until is None or utc_now() < until)
