"""What is told about an `auth` or `options` object that cannot be used: the member, and what would be right."""

from typing import Any

import pytest

from ccrouter.credentials.kinds import AuthError, check_auth, check_options


@pytest.mark.parametrize(
    ("platform", "auth", "field", "words"),
    [
        ("anthropic", {"api_key": " "}, "auth.api_key", "must not be empty"),
        ("anthropic", {"api_key": "sk-ant-\n1"}, "auth.api_key", "was it copied whole"),
        ("anthropic", {"api_key": 1}, "auth.api_key", "must be a string, not a number"),
        ("anthropic", {"key": "sk-ant-1"}, "auth.key", "is not known for this platform"),
        ("anthropic", {}, "auth", "give exactly one of api_key and auth_token"),
        ("gemini", {}, "auth.api_key", "is missing"),
    ],
)
def test_a_secret_that_cannot_be_used_is_explained(platform: str, auth: dict[str, Any], field: str, words: str) -> None:
    """In words that need no knowledge of the program."""
    with pytest.raises(AuthError) as raised:
        check_auth(platform, auth)
    assert raised.value.field == field
    assert words in raised.value.message


def test_an_option_of_another_type_is_explained() -> None:
    """The same words serve options."""
    with pytest.raises(AuthError, match=r"options\.region: must be a string, not a number"):
        check_options("bedrock", {"region": 1})
