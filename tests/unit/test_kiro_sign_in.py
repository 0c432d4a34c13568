"""Signing in to Kiro on another device, and which sign-in a credential needs."""

import asyncio
import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from tests.emulators.kiro import KiroEmulator
from tests.fakes import ScriptedUpstream

from ccrouter.credentials.kinds import Credential, check_auth
from ccrouter.errors import SignInFailed, UpstreamForbidden, UpstreamUnreachable
from ccrouter.http import HttpRequest
from ccrouter.platforms.kiro_account import KiroAccount
from ccrouter.platforms.kiro_management import (
    models_request,
    profile_request,
    read_models,
    read_profiles,
    read_usage,
    usage_request,
)
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.device import KiroDeviceFlow
from ccrouter.upstream import AiohttpUpstream

ARN = "arn:aws:codewhisperer:us-east-1:123456789012:profile/ABC"


@pytest.fixture
def kiro() -> Iterator[KiroEmulator]:
    """The sign-in service."""
    with KiroEmulator() as emulator:
        yield emulator


def test_a_person_signs_in_on_another_device(kiro: KiroEmulator) -> None:
    """Asked as often as the service wants; what comes of it is a credential's `auth`. The registration is kept."""
    clock = 0.0

    async def work() -> dict[str, Any]:
        nonlocal clock
        upstream = AiohttpUpstream((ipaddress.ip_network("127.0.0.0/8"),))
        flow = KiroDeviceFlow(ServiceCalls(upstream), clock=lambda: clock)
        try:
            sign_in = await flow.begin("eu-west-1", "https://org.awsapps.com/start", base_url=kiro.url)
            assert (sign_in.code.user_code, sign_in.code.url[-9:]) == ("ABCD-EFGH", "ABCD-EFGH")
            assert await flow.ask(sign_in) is None
            assert [seen.path for seen in kiro.seen] == ["/client/register", "/device_authorization"]
            clock = 1.0
            assert await flow.ask(sign_in) is None
            # It was told to slow down.
            clock = 3.0
            assert await flow.ask(sign_in) is None
            assert len(kiro.seen) == 3
            clock = 7.0
            assert await flow.ask(sign_in) is None
            kiro.approved, clock = True, 14.0
            auth = await flow.ask(sign_in)
            assert auth is not None
            again = await flow.begin(base_url=kiro.url)
            assert [seen.path for seen in kiro.seen].count("/client/register") == 1
            clock = again.ends_s + 1
            with pytest.raises(SignInFailed, match="in time"):
                await flow.ask(again)
            return auth
        finally:
            await upstream.close()

    auth = asyncio.run(work())
    assert check_auth("kiro", auth)["auth_region"] == "eu-west-1"
    assert auth["start_url"] == "https://org.awsapps.com/start"


@pytest.mark.parametrize(
    ("failure", "words"),
    [(UpstreamForbidden("The address lies in a private network."), "private network"),
     (UpstreamUnreachable("No answer."), "could not be reached: No answer.")],
)  # fmt: skip
def test_a_service_that_cannot_be_asked_is_named(failure: Exception, words: str) -> None:
    """An address that is not allowed is not tried again."""
    upstream = ScriptedUpstream(failure, failure, failure)
    with pytest.raises(SignInFailed, match=words):
        asyncio.run(ServiceCalls(upstream, pauses_s=(0.0, 0.0)).ask(HttpRequest("POST", "https://x", (), b"")))
    assert len(upstream.requests) == (1 if "private" in words else 3)


def an_account(auth: dict[str, Any], **options: Any) -> KiroAccount:
    """An account with a token."""
    return KiroAccount(Credential(id="c", platform="kiro", name="c", auth=auth, options=options))


def test_the_current_host_spells_its_paths_with_hyphens() -> None:
    """The older one does not; the profile goes into the query."""
    key = an_account({"auth_method": "api_key", "api_key": "ksk_x"})
    token = an_account({"auth_method": "idc", "access_token": "t"})
    assert models_request(key).url == ("https://management.us-east-1.kiro.dev/List-Available-Models?origin=AI_EDITOR")
    assert models_request(token, "n").url.startswith("https://q.us-east-1.amazonaws.com/ListAvailableModels?")
    assert profile_request(token).url == "https://q.us-east-1.amazonaws.com/ListAvailableProfiles"
    assert ("x-amz-target", "AmazonCodeWhispererService.GetProfile") in profile_request(key).headers
    with_profile = an_account({"auth_method": "idc", "access_token": "t"}, profile_arn=ARN)
    assert usage_request(with_profile).url == (
        "https://management.us-east-1.kiro.dev/Get-Usage-Limits?origin=AI_EDITOR&resourceType=CREDIT"
        "&isEmailRequired=false&profileArn=arn%3Aaws%3Acodewhisperer%3Aus-east-1%3A123456789012%3Aprofile%2FABC"
    )


@pytest.mark.parametrize("body", [b"", b"[]", b'{"models":7}', b'{"models":[7,{"modelId":1}]}', b"\xff"])
def test_answers_that_say_nothing_are_none(body: bytes) -> None:
    """No request fails for them."""
    assert read_models(200, body) == ({}, None)
    assert read_models(500, body) == ({}, None)
    assert read_profiles(500, body) is None
    assert read_profiles(200, body) == []
    with pytest.raises(SignInFailed, match="does not say"):
        read_usage(500, body)


def test_only_profiles_in_use_count() -> None:
    """Others are not offered."""
    body = b'{"profiles":[{"arn":"a","status":"ACTIVE"},{"arn":"b","status":"DISABLED"},{"arn":"c"}]}'
    assert read_profiles(200, body) == ["a", "c"]


TOKEN = "aor" + "x" * 120


@pytest.mark.parametrize(
    ("pasted", "stored"),
    [
        (
            {"accessToken": "a", "refreshToken": TOKEN, "expiresAt": "2026-11-24T10:00:00Z", "authMethod": "social",
             "profileArn": ARN, "provider": "Google", "region": "us-east-1"},
            {"auth_method": "social", "access_token": "a", "refresh_token": TOKEN, "profile_arn": ARN,
             "expires_at": "2026-11-24T10:00:00Z", "auth_region": "us-east-1"},
        ),
        (
            {"refreshToken": TOKEN, "authMethod": "IdC", "clientIdHash": "h", "clientId": "c", "clientSecret": "s"},
            {"auth_method": "idc", "refresh_token": TOKEN, "client_id": "c", "client_secret": "s"},
        ),
        (
            {"access_token": "a", "refresh_token": TOKEN, "region": "eu-west-1", "scopes": ["x"], "client_id": "c",
             "client_secret": "s"},
            {"auth_method": "idc", "access_token": "a", "refresh_token": TOKEN, "auth_region": "eu-west-1",
             "client_id": "c", "client_secret": "s"},
        ),
        ({"auth_method": "builder-id", "access_token": "a"}, {"auth_method": "idc", "access_token": "a"}),
        ({"refresh_token": TOKEN}, {"auth_method": "social", "refresh_token": TOKEN}),
    ],
)  # fmt: skip
def test_tokens_of_kiros_own_programs_can_be_pasted(pasted: dict[str, Any], stored: dict[str, Any]) -> None:
    """In the spelling that they have there."""
    assert check_auth("kiro", pasted) == stored
