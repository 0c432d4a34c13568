"""Our AWS signature is botocore's, whatever is signed."""

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from ccrouter.platforms.signing import sign

AT = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
JSON = [("content-type", "application/json"), ("accept", "application/json"), ("user-agent", "someone  else")]


def theirs(url: str, body: bytes, token: str | None, region: str, service: str) -> dict[str, str]:
    """What botocore puts on the same request at the same time."""
    signed = {"content-type": "application/json"}
    request = AWSRequest("POST", url, data=body, headers=signed)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=AT):
        SigV4Auth(Credentials("AKIDEXAMPLE", "secret/+", token), service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def ours(url: str, body: bytes, token: str | None, region: str, service: str) -> dict[str, str]:
    """What we send."""
    return dict(
        sign(
            "POST",
            url,
            JSON,
            body,
            access_key_id="AKIDEXAMPLE",
            secret_access_key="secret/+",
            session_token=token,
            region=region,
            service=service,
            at=AT,
        )
    )


@pytest.mark.parametrize("token", [None, "a session/token=="])
@pytest.mark.parametrize(
    "url",
    [
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-5-5/invoke",
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke",
        "https://h/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fx/invoke",
        "https://h:8443/",
        "https://h:443",
        "http://127.0.0.1:4711//a/../b/./c~d/é/",
        "http://[::1]:4711/x?b=2&a=1&a=0&c",
    ],
)
def test_a_signature_is_botocores(url: str, token: str | None) -> None:
    """Same address, body, keys and time: same signature."""
    arguments = (url, b'{"a":1}', token, "us-east-1", "bedrock")
    found = ours(*arguments)
    assert {name: found[name] for name in theirs(*arguments)} == theirs(*arguments)


@settings(max_examples=200, deadline=None)
@given(
    model=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    body=st.binary(max_size=200),
    region=st.from_regex(r"[a-z]{2}-[a-z]{4}-[0-9]", fullmatch=True),
)
def test_any_model_and_body_sign_alike(model: str, body: bytes, region: str) -> None:
    """Model ids may be anything: they are escaped once in the address and once more for the signature."""
    url = f"https://bedrock-runtime.{region}.amazonaws.com/model/{quote(model, safe='')}/invoke"
    arguments = (url, body, None, region, "bedrock-mantle")
    assert theirs(*arguments)["authorization"] == ours(*arguments)["authorization"]


def test_what_proxies_rewrite_is_not_signed() -> None:
    """The signature names exactly what it covers."""
    found = ours("https://h/x", b"", "token", "eu-west-1", "bedrock")
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token," in found["authorization"]
    assert ("accept", "application/json") in found.items()
