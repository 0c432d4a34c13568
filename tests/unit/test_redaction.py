"""What is captured holds no secret: by name, by form, by value."""

import json

import pytest

from ccrouter.captures.redaction import REDACTED, Redactor, secrets_of

OWN = "sk-ccr-" + "a1B2_" * 8 + "xyz"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQ+/=\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("authorization", f"Bearer {OWN}", f"Bearer {REDACTED}"),
        ("authorization", "bearer   ya29.short", f"bearer {REDACTED}"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=0f", f"AWS4-HMAC-SHA256 {REDACTED}"),
        ("authorization", "some-raw-token", REDACTED),
        ("proxy-authorization", "Basic dXNlcjpwYXNz", f"Basic {REDACTED}"),
        ("x-api-key", "anything", REDACTED),
        ("api-key", "anything", REDACTED),
        ("x-goog-api-key", "anything", REDACTED),
        ("x-amz-security-token", "anything", REDACTED),
        ("cookie", "a=b", REDACTED),
        ("set-cookie", "__cf_bm=abc; path=/", REDACTED),
        ("content-type", "application/json", "application/json"),
        ("anthropic-ratelimit-input-tokens-remaining", "12", "12"),
        ("idempotency-key", "77", "77"),
        ("x-note", f"my key is {OWN}", f"my key is {REDACTED}"),
    ],
)
def test_headers_lose_their_secrets_and_keep_the_rest(name: str, value: str, shown: str) -> None:
    """What scheme was used stays visible."""
    assert [(name, shown)] == Redactor(()).headers([(name, value)])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host.example/v1?beta=true", "https://host.example/v1?beta=true"),
        ("https://host.example/v1?key=AIzaxyz&alt=sse", f"https://host.example/v1?key={REDACTED}&alt=sse"),
        ("/proxy/v1/messages?api_key=abc#x", f"/proxy/v1/messages?api_key={REDACTED}#x"),
        ("https://h/?X-Amz-Signature=0f&X-Amz-Date=1", f"https://h/?X-Amz-Signature={REDACTED}&X-Amz-Date=1"),
        ("https://h/?a=top%2Fsecret%2Fvalue", f"https://h/?a={REDACTED}"),
        ("/v1/messages?monkey=1", "/v1/messages?monkey=1"),
    ],
)
def test_addresses_lose_their_secrets(url: str, shown: str) -> None:
    """User, parameters and known values, quoted ones too."""
    assert shown == Redactor(["top/secret/value"]).url(url)


@pytest.mark.parametrize(
    "secret",
    [
        OWN,
        "sk-ant-api03-" + "x" * 40,
        "AIza" + "y" * 35,
        "ya29." + "z" * 60,
        "1//0" + "w" * 60,
    ],
)
def test_bodies_lose_what_has_the_form_of_a_secret(secret: str) -> None:
    """Whoever wrote it there."""
    body = json.dumps({"content": f"use {secret} please", "n": 1}).encode()
    assert json.loads(Redactor(()).body(body, cut=False)) == {"content": f"use {REDACTED} please", "n": 1}


def test_signatures_in_a_body_are_taken_out() -> None:
    """An address that was signed in advance, and a header that somebody pasted."""
    signed = b"https://b.s3.amazonaws.com/k?X-Amz-Security-Token=IQoJb3%2F%3D&X-Amz-Signature=0fAB&X-Amz-Date=1"
    assert Redactor(()).body(signed, cut=False) == (
        b"https://b.s3.amazonaws.com/k?X-Amz-Security-Token=[redacted]&X-Amz-Signature=[redacted]&X-Amz-Date=1"
    )
    pasted = b"SignedHeaders=host, Signature=" + b"0f" * 32
    assert Redactor(()).body(pasted, cut=False) == b"SignedHeaders=host, Signature=[redacted]"


def test_every_secret_of_a_credential_is_known_and_nothing_else() -> None:
    """Also those inside a service account; the names of methods and addresses would spoil texts."""
    auth = {
        "auth_method": "idc",
        "refresh_token": "r" * 100,
        "service_account": {"type": "service_account", "private_key": PEM, "token_uri": "https://oauth2"},
    }
    assert sorted(secrets_of(auth)) == sorted(["r" * 100, PEM])


def test_values_are_found_as_they_stand_in_json() -> None:
    """A key of several lines has escaped line ends there."""
    body = json.dumps({"said": f"here: {PEM}!"}).encode()
    assert json.loads(Redactor([PEM]).body(body, cut=False)) == {"said": f"here: {REDACTED}!"}


def test_what_a_header_shows_is_found_in_bodies_too() -> None:
    """An echo of the credential, by a platform that answers with what it got."""
    redactor = Redactor(())
    redactor.learn([("authorization", "Bearer token-of-today"), ("cookie", "sid=cookie-value; b=1")])
    assert redactor.body(b"got token-of-today and cookie-value", cut=False) == b"got [redacted] and [redacted]"


def test_a_longer_secret_leaves_no_end_behind_a_shorter_one() -> None:
    """One may begin with the other."""
    assert Redactor(["secret-1", "secret-123"]).body(b"<secret-123>", cut=False) == b"<[redacted]>"


@pytest.mark.parametrize("length", range(9, 15))
def test_a_secret_that_a_cut_has_shortened_is_taken_out(length: int) -> None:
    """Its beginning could be most of it."""
    redactor = Redactor(["abcdefghijklmno"])
    assert redactor.body(b"text " + b"abcdefghijklmno"[:length], cut=True) == b"text [redacted]"
    assert redactor.body(b"key sk-ccr-" + b"x" * length, cut=True) == b"key [redacted]"


def test_short_values_are_no_secrets() -> None:
    """Taking `k` out would leave nothing to read."""
    assert Redactor(["k", "abc"]).body(b"abc k", cut=False) == b"abc k"
