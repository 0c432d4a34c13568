"""Bedrock's door for Anthropic's own API: the client's body under an AWS credential."""

import json
from typing import Any

import pytest
from tests.emulators.bedrock import ACCESS_KEY, REGION, SECRET_KEY
from tests.upstream import message_events, text

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import Verdict
from ccrouter.http import HttpRequest, header
from ccrouter.messages.request import MessagesRequest
from ccrouter.platforms.bedrock import Bedrock
from ccrouter.platforms.bedrock_messages import MessagesExchange
from ccrouter.platforms.contract import COUNT_TOKENS, MESSAGES, Aim, Ask, CannedAnswer, Found

BODY = (
    b'{"model":"claude-opus-5-5", "max_tokens":5,"stream":true,"messages":[{"role":"user","content":"\\u00e4"}],'
    b'"x":1.0}'
)
KEYS = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY}
HEADERS = (("anthropic-beta", "anything-2026-01-01"), ("anthropic-version", "2023-06-01"), ("x-api-key", "client's"))


def opened(operation: str = MESSAGES, base_url: str | None = None, **auth: str) -> Any:
    """What opens at this door."""
    options = {"region": REGION, "door": "messages"}
    credential = Credential(id="c", platform="bedrock", name="c", base_url=base_url, auth=auth or KEYS, options=options)
    ask = Ask(operation, MessagesRequest(BODY), HEADERS, "beta=true")
    return Bedrock().open(ask, Aim("claude-opus-5-5"), credential, Found())


def test_the_body_goes_through() -> None:
    """But for the model's id; headers as to Anthropic, the client's key stays here."""
    request: HttpRequest = opened(api_key="test-key").request()
    assert request.url == "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1/messages?beta=true"
    sent, given = MessagesRequest(request.body), MessagesRequest(BODY)
    assert sent.model == "us.anthropic.claude-opus-5-5"
    assert all(sent.raw(name) == given.raw(name) for name in given.names if name != "model")
    assert header(request.headers, "authorization") == "Bearer test-key"
    assert header(request.headers, "x-api-key") is None
    assert header(request.headers, "anthropic-beta") == "anything-2026-01-01"


@pytest.mark.parametrize(
    ("base_url", "service"),
    [(None, "bedrock"), ("https://bedrock-mantle.us-east-1.api.aws", "bedrock-mantle")],
)
def test_the_service_that_is_signed_follows_the_host(base_url: str | None, service: str) -> None:
    """Each has a name of its own."""
    request: HttpRequest = opened(base_url=base_url).request()
    assert f"/{REGION}/{service}/aws4_request" in (header(request.headers, "authorization") or "")


def test_streams_and_messages_know_their_place() -> None:
    """The price depends on it."""
    exchange = opened()
    assert isinstance(exchange, MessagesExchange)
    stream = exchange.stream()
    data = b"".join(message_events(text("x")))
    assert stream.feed(data) + stream.take_held() == data
    assert (stream.facts.place, stream.facts.stopped) == ("us", True)
    assert exchange.read_whole(b'{"type":"message","usage":{"input_tokens":1}}').facts.place == "us"


def test_errors_of_both_kinds_are_read() -> None:
    """Anthropic's as they came, AWS's by their table."""
    exchange = opened()
    own = b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}'
    assert exchange.read_refusal(529, (), own).body == own
    aws = exchange.read_refusal(
        403, (("x-amzn-errortype", "ExpiredTokenException:x"),), json.dumps({"message": "expired"}).encode()
    )
    assert (aws.status, aws.verdict, aws.consequence.renews) == (401, Verdict.NEXT_CREDENTIAL, "token")


def test_tokens_are_estimated() -> None:
    """This door does not count."""
    assert isinstance(opened(COUNT_TOKENS), CannedAnswer)
