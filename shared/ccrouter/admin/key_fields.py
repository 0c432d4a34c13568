"""The members of a key as callers send them, checked and made ready to be stored."""

import ipaddress
from typing import Any

from sqlalchemy import Connection

from ccrouter.admin.checks import check_mapping, stored_limits
from ccrouter.admin.member_rules import member_fields, read_rules
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import invalid
from ccrouter.admin.schemas import KeyChanges
from ccrouter.storage.keys import CHANGEABLE
from ccrouter.storage.users import User


def key_fields(
    needs: Needs, body: KeyChanges, *, by: User | None = None, new: bool = False, within: Connection | None = None
) -> dict[str, Any]:
    """The columns that a body sets; a member `by` whom it is sent is bound by the rules for members.

    Raises Problem 422. `within` as for `check_mapping`.
    """
    fields = {name: value for name, value in body.model_dump(exclude_unset=True).items() if name in CHANGEABLE}
    if by is not None and by.role != ADMIN:
        fields = member_fields(read_rules(needs.engine), by, fields, new=new)
    if "limits" in fields:
        fields["limits"] = stored_limits(fields["limits"])
    if "mapping" in fields:
        fields["mapping"] = mapping_field(needs, fields["mapping"], within=within)
    if "tags" in fields:
        fields["tags"] = list(dict.fromkeys(fields["tags"]))
    for index, text in enumerate(fields.get("allowed_ips", [])):
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise invalid(
                f"allowed_ips[{index}]", f"«{text}» is not a network such as 10.0.0.0/8 or an address"
            ) from None
    return fields


def mapping_field(needs: Needs, document: dict[str, Any] | None, *, within: Connection | None = None) -> dict[str, Any]:
    """A mapping as it is stored. Raises Problem 422."""
    mapping = document or {}
    check_mapping(needs, mapping, within=within)
    return mapping
