"""The members of a credential as callers send them, checked and made ready to be stored."""

from typing import Any

from ccrouter.admin.problems import invalid
from ccrouter.config import Settings
from ccrouter.credentials.kinds import KINDS, AuthError, check_auth, check_options
from ccrouter.networks import check_base_url
from ccrouter.storage.credentials import CHANGEABLE


def credential_fields(settings: Settings, platform: str, given: dict[str, Any]) -> dict[str, Any]:
    """The columns that a body sets. Raises Problem 422."""
    fields = {name: value for name, value in given.items() if name in CHANGEABLE}
    if "options" in fields:
        fields["options"] = checked_options(platform, fields["options"])
    if fields.get("base_url") is not None:
        kind = KINDS[platform]
        if kind.base_url is None:
            raise invalid("base_url", "cannot be set for this platform; its addresses are options")
        try:
            fields["base_url"] = check_base_url(fields["base_url"], settings.private_upstreams, kind.refused_endings)
        except ValueError as error:
            raise invalid("base_url", str(error)) from None
    return fields


def checked_auth(platform: str, auth: dict[str, Any]) -> dict[str, Any]:
    """A secret as it is sealed. Raises Problem 422."""
    try:
        return check_auth(platform, auth)
    except AuthError as error:
        raise invalid(error.field, error.message) from None


def checked_options(platform: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options as they are stored. Raises Problem 422."""
    try:
        return check_options(platform, options)
    except AuthError as error:
        raise invalid(error.field, error.message) from None
