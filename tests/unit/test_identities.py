"""Identities of service accounts and of the process, through Google's and AWS's own libraries."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.emulators.server import Emulator

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.tokens.aws_role import AwsRole
from ccrouter.tokens.google_identity import GoogleIdentities


class Identities(Emulator):
    """Google's token address and the address where AWS hands out a container's role."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = self.keys = 0
        self.lives_s = 3600
        self.refusal: tuple[int, dict[str, str]] | None = None

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.post("/token", self._token), web.get("/role", self._role)]

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        if self.refusal is not None:
            return web.json_response(self.refusal[1], status=self.refusal[0])
        await asyncio.sleep(0.05)
        self.tokens += 1
        return web.json_response(
            {"access_token": f"ya29.{self.tokens}", "expires_in": self.lives_s, "token_type": "Bearer"}
        )

    async def _role(self, request: web.Request) -> web.StreamResponse:
        self.keys += 1
        ends = datetime.now(UTC) + timedelta(seconds=self.lives_s)
        return web.json_response(
            {
                "AccessKeyId": f"AKID{self.keys}",
                "SecretAccessKey": "secret",
                "Token": f"session-{self.keys}",
                "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )


@pytest.fixture
def identities() -> Iterator[Identities]:
    """The addresses."""
    with Identities() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def private_key() -> str:
    """A key in the form of Google's."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()


@pytest.fixture
def account(identities: Identities, private_key: str) -> dict[str, Any]:
    """A service account's key."""
    return {
        "type": "service_account",
        "project_id": "proj-1",
        "client_email": "robot@proj-1.iam.gserviceaccount.com",
        "private_key": private_key,
        "private_key_id": "k1",
        "token_uri": f"{identities.url}/token",
    }


def vertex(auth: dict[str, Any]) -> Credential:
    """A credential of Vertex."""
    return Credential(id="v", platform="vertex", name="v", auth=auth)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_many_who_need_a_service_accounts_token_cause_one_call(identities: Identities, account: dict[str, Any]) -> None:
    """The token is kept until five minutes before its end; a refused one is replaced once."""

    async def work() -> None:
        google = GoogleIdentities()
        credential = vertex({"service_account": account})
        got = await asyncio.gather(*(google.signed_in(credential) for _ in range(20)))
        assert {signed.auth["access_token"] for signed in got} == {"ya29.1"}
        assert got[0].auth["project"] == "proj-1"
        again = await asyncio.gather(*(google.renew(got[0], "token") for _ in range(5)))
        assert {signed.auth["access_token"] for signed in again} == {"ya29.2"}
        assert identities.tokens == 2
        later = GoogleIdentities(now=lambda: datetime.now(UTC) + timedelta(seconds=3_400))
        await later.signed_in(credential)
        await later.signed_in(credential)
        assert identities.tokens == 4

    asyncio.run(work())


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("refusal", "dead"),
    [((400, {"error": "invalid_grant", "error_description": "Invalid JWT"}), True), ((401, {"error": "x"}), True)],
)
def test_a_key_that_google_does_not_know_needs_a_person(
    identities: Identities, account: dict[str, Any], refusal: tuple[int, dict[str, str]], dead: bool
) -> None:
    """The message has Google's words."""
    identities.refusal = refusal
    with pytest.raises(SignInFailed, match="Google gave no token") as caught:
        asyncio.run(GoogleIdentities().signed_in(vertex({"service_account": account})))
    assert caught.value.needs_login == dead


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_process_has_an_identity_of_its_own(
    identities: Identities, account: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Google's library finds it."""
    key = tmp_path / "key.json"
    key.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    signed = asyncio.run(GoogleIdentities().signed_in(vertex({})))
    assert (signed.auth["access_token"], signed.auth["project"]) == ("ya29.1", "proj-1")


def test_a_process_without_an_identity_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is blocked for it: another process may have one."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(SignInFailed, match="no identity at Google") as caught:
        asyncio.run(GoogleIdentities().signed_in(vertex({})))
    assert not caught.value.needs_login


BEDROCK = Credential(id="b", platform="bedrock", name="b", options={"region": "us-east-1"})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which AWS's library finds nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_role_is_asked_for_once_and_again_before_its_end(aws: pytest.MonkeyPatch, identities: Identities) -> None:
    """Many at once cause one call; what was refused is got anew."""
    aws.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{identities.url}/role")

    async def work() -> None:
        role = AwsRole()
        got = await asyncio.gather(*(role.signed_in(BEDROCK) for _ in range(20)))
        assert {signed.auth["access_key_id"] for signed in got} == {"AKID1"}
        assert got[0].auth["session_token"] == "session-1"
        renewed = await asyncio.gather(*(role.renew(got[0], "token") for _ in range(3)))
        assert {signed.auth["access_key_id"] for signed in renewed} == {"AKID2"}
        identities.lives_s = 600
        near_its_end = await role.renew(renewed[0], "token")
        identities.lives_s = 3600
        assert (await role.signed_in(BEDROCK)).auth["access_key_id"] != near_its_end.auth["access_key_id"]

    asyncio.run(work())


def test_keys_of_the_environment_serve_too(aws: pytest.MonkeyPatch) -> None:
    """Without a session where there is none."""
    aws.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    signed = asyncio.run(AwsRole().signed_in(BEDROCK))
    assert signed.auth == {"access_key_id": "AKIDENV", "secret_access_key": "secret"}


def test_a_process_without_a_role_is_told_so(aws: pytest.MonkeyPatch) -> None:
    """With what can be done."""
    with pytest.raises(SignInFailed, match="no role at AWS"):
        asyncio.run(AwsRole().signed_in(BEDROCK))
