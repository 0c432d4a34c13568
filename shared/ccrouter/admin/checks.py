"""Members that several objects have, checked: mappings and limits."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from ccrouter.access.limits import LimitsError, read_limits
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import invalid
from ccrouter.platforms.registry import is_platform
from ccrouter.routing.mapping import EFFORTS, MappingError, read_mapping, targets_of
from ccrouter.storage import credentials


def check_mapping(
    needs: Needs, document: dict[str, Any], field: str = "mapping", *, within: Connection | None = None
) -> None:
    """Raises Problem 422 where a mapping cannot be read, or leads to a platform or credential that is not there.

    `within` is a transaction that may have made the credential just now.
    """
    try:
        mapping = read_mapping(document, field)
    except MappingError as error:
        raise invalid(error.field, error.message) from None
    for path, target in targets_of(mapping):
        place = field + path.removeprefix("mapping")
        if not is_platform(target.platform):
            raise invalid(f"{place}.platform", f"there is no platform «{target.platform}» in this version")
        if target.effort is not None and target.effort not in EFFORTS:
            raise invalid(f"{place}.effort", f"must be one of {', '.join(EFFORTS)}")
        if target.credential_id is not None:
            credential = credentials.get(within or needs.engine, target.credential_id)
            if credential is None or credential.deleted_at is not None:
                raise invalid(f"{place}.credential_id", "there is no such credential")
            if credential.platform != target.platform:
                raise invalid(f"{place}.credential_id", f"is a credential of platform {credential.platform}")


def stored_limits(document: dict[str, Any] | None, field: str = "limits") -> dict[str, Any]:
    """Limits as they are stored. Raises Problem 422."""
    try:
        limits = read_limits(document, field)
    except LimitsError as error:
        raise invalid(error.field, error.message) from None
    stored: dict[str, Any] = msgspec.to_builtins(limits)
    return stored
