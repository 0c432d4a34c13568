"""The official Python SDK against the router: every transcript, and the calls and errors that programs meet."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from tests.services import UPSTREAM_SECRET, RunningRouter
from tests.transcripts import ERRORS, EXPECTED, QUESTION, transcript
from tests.upstream import Answer, FakeUpstream, error, json_answer, message, sse

from ccrouter.access.keys import new_secret


def sdk(base_url: str, **options: Any) -> anthropic.Anthropic:
    """The SDK as a program has it, but for the certificates, which take 50 ms to read and are not needed here."""
    return anthropic.Anthropic(base_url=base_url, http_client=anthropic.DefaultHttpxClient(verify=False), **options)


@pytest.fixture
def client(router: RunningRouter) -> Iterator[anthropic.Anthropic]:
    """The router's address, a key, and the usual two repeats."""
    with sdk(router.base_url, api_key=router.new_key()) as client:
        yield client


def said(answer: anthropic.types.Message) -> str:
    """The text of an answer."""
    return "".join(block.text for block in answer.content if block.type == "text")


def raised(base_url: str, secret: str) -> anthropic.APIStatusError:
    """The error that a question ends in."""
    with (
        sdk(base_url, api_key=secret, max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        client.messages.create(**QUESTION)
    return caught.value


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if expected["expect"] != "error"])
def test_the_sdk_reads_a_transcript_as_it_is(router: RunningRouter, client: anthropic.Anthropic, name: str) -> None:
    """The final message is the one that was recorded without a router."""
    router.upstream.script = [sse(transcript(name))]
    stream: Any = client.beta.messages.stream if EXPECTED[name]["beta"] else client.messages.stream
    with stream(**QUESTION) as events:
        final = events.get_final_message()
    assert EXPECTED[name]["sdk_final_message"] == json.loads(final.to_json())


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if expected["expect"] == "error"])
def test_the_sdk_raises_an_error_in_a_stream_as_it_is(
    router: RunningRouter, client: anthropic.Anthropic, name: str
) -> None:
    """Class, type, status and body are those that were recorded without a router."""
    router.upstream.script = [sse(transcript(name))]
    expected = EXPECTED[name]["sdk_error"]
    with pytest.raises(anthropic.APIStatusError) as caught, client.messages.stream(**QUESTION) as events:
        events.get_final_message()
    assert expected["error_class"] == type(caught.value).__name__
    assert (expected["status_code"], expected["error_type"]) == (caught.value.status_code, caught.value.type)
    assert expected["body"] == caught.value.body


def test_a_message_without_streaming_arrives_whole(router: RunningRouter, client: anthropic.Anthropic) -> None:
    """Every member of the platform's answer, and its request id."""
    router.upstream.script = [json_answer(message("hello"))]
    answer = client.messages.create(**QUESTION)
    assert message("hello") == json.loads(answer.to_json())
    assert answer._request_id == "req_upstream"


def test_tokens_are_counted(router: RunningRouter, client: anthropic.Anthropic) -> None:
    """The platform's count, asked at its own address."""
    router.upstream.script = [json_answer({"input_tokens": 2095})]
    asked = {name: value for name, value in QUESTION.items() if name != "max_tokens"}
    assert client.messages.count_tokens(**asked).input_tokens == 2095
    assert router.upstream.seen[0].path == "/v1/messages/count_tokens"


def test_models_are_listed_page_by_page(client: anthropic.Anthropic) -> None:
    """The list can be walked in small pages, and each entry can be asked for by its id."""
    walked = [model.id for model in client.models.list(limit=2)]
    assert [model.id for model in client.models.list(limit=1000)] == walked
    assert "claude-opus-5-5" in walked
    assert client.models.retrieve("claude-opus-5-5").display_name == "Claude Opus 5.5"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-nowhere")


def test_an_auth_token_is_as_good_as_a_key(router: RunningRouter) -> None:
    """`auth_token` is sent as a bearer token and opens the same door."""
    with sdk(router.base_url, auth_token=router.new_key(), api_key=None) as client:
        assert said(client.messages.create(**QUESTION)) == "non-stream answer"


@pytest.mark.parametrize("status", [429, 500, 529])
def test_the_sdk_repeats_what_passes(router: RunningRouter, client: anthropic.Anthropic, status: int) -> None:
    """A throttle, a fault, an overload: the SDK tries again by itself, and each try is a row."""
    router.upstream.script = [error(status, "api_error", "once", retry_after_ms="1")]
    assert said(client.messages.create(**QUESTION)) == "non-stream answer"
    rows = router.rows(client.api_key, expect=2)
    assert [row["http_status"] for row in rows] == [200, status]
    assert [seen.header("x-stainless-retry-count") for seen in router.upstream.seen] == ["0", "1"]


@pytest.mark.parametrize("answer", ERRORS, ids=lambda answer: str(answer["status"]))
def test_an_error_of_the_platform_is_raised_as_its_own_class(
    router: RunningRouter, platform: FakeUpstream, answer: dict[str, Any]
) -> None:
    """Class, text, status, type, body, request id and what is said about repeating are those of the platform itself."""
    body = json.dumps(answer["body"]).encode()
    refusal = Answer("json", answer["status"], tuple(answer["headers"].items()), (body,))
    platform.otherwise = router.upstream.otherwise = refusal
    direct = raised(platform.url, UPSTREAM_SECRET)
    routed = raised(router.base_url, router.new_key())
    assert (answer["status"], answer["body"]) == (direct.status_code, direct.body)
    assert (type(direct), str(direct), direct.type) == (type(routed), str(routed), routed.type)
    assert (direct.status_code, direct.body, direct.request_id) == (routed.status_code, routed.body, routed.request_id)
    for name in ("content-type", "retry-after", "x-should-retry"):
        assert direct.response.headers.get(name) == routed.response.headers.get(name)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_of_the_operators_credential_is_not_the_clients_fault(
    router: RunningRouter, client: anthropic.Anthropic, status: int
) -> None:
    """It is raised as unavailable, at once: no program should throw its own key away for it."""
    router.upstream.otherwise = error(status, "authentication_error", "invalid x-api-key")
    with pytest.raises(anthropic.ServiceUnavailableError) as caught:
        client.messages.create(**QUESTION)
    assert (caught.value.status_code, caught.value.type) == (503, "api_error")
    assert len(router.upstream.seen) == 1


def test_an_unknown_key_is_refused_at_once(router: RunningRouter) -> None:
    """The router's own 401 says not to repeat; nothing reaches the platform."""
    with (
        sdk(router.base_url, api_key=new_secret()) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(**QUESTION)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.type == "authentication_error"
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
    assert router.upstream.seen == []
