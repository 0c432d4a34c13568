"""The codes of problem documents: names that stay, for programs to go by. A test finds every one that is used."""

CODES = {
    "above_own_limit": "A member may not raise a limit above what an administrator has set",
    "bad_cursor": "The cursor was not given out by this list",
    "bad_request": "The request cannot be understood",
    "changed_meanwhile": "Somebody has changed the object since the version in `If-Match`: read it again",
    "conflict": "The object is in a state that does not allow it",
    "csrf": "With the session cookie a changing call needs `X-CSRF-Token`",
    "follows_environment": "The object follows a variable of the environment; change it there",
    "forbidden": "The user may not do this",
    "gone": "It was there, and is gone for good",
    "internal_error": "The router failed; its log names the reason under `request_id`",
    "invalid": "The input cannot be accepted; `errors` names each member",
    "last_administrator": "Somebody must stay who can sign in and administer",
    "malformed_json": "The body is not JSON",
    "members_make_no_keys": "Administrators have not let members make keys",
    "method_not_allowed": "The address has other methods; `Allow` names them",
    "not_deleted": "Only what is deleted can be restored or purged",
    "not_found": "There is no such thing, or it is not for this user",
    "not_signed_in": "Sign in first, or anew",
    "setup_closed": "There is an administrator already",
    "storage_away": "The database does not answer; try again after `Retry-After`",
    "taken": "Another object has this name",
    "too_large": "The body is larger than this API takes",
    "too_many_attempts": "Too many failed attempts; try again after `Retry-After`",
    "too_many_exports": "Other exports are under way; wait for one of them",
    "too_many_keys": "A member may not have more keys",
    "unsupported_media_type": "The body must be `application/json`",
    "wrong_password": "User name or password is wrong",
    "wrong_setup_code": "This is not the one-time code",
}
"""Of the whole document."""

FIELD_CODES = {
    "above_own_limit": "More than an administrator has set",
    "for_administrators": "Only administrators may set it",
    "forbidden": "Not for members",
    "given_twice": "The parameter takes one value",
    "invalid": "See `message`",
    "no_secret": "The credential has no secret yet",
    "not_found": "There is no such object",
    "not_yours": "It is not the member's own to decide",
    "repeated": "It stands there twice",
    "set_by_environment": "A variable of the environment decides it",
    "taken": "Another object has it",
    "too_many": "More than there may be",
    "unknown_parameter": "The call has no such parameter",
    "wrong_password": "Not the current password",
}
"""Of single members, besides the names of pydantic's own checks such as `missing` or `extra_forbidden`."""


def listed(codes: dict[str, str]) -> str:
    """The codes as a list in Markdown."""
    return "\n".join(f"- `{code}`: {words}" for code, words in sorted(codes.items()))
