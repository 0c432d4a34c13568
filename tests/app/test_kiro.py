"""Kiro through the real router: an emulator as strict as the service, the official SDK as the client."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import pytest
from sqlalchemy import select
from tests.emulators.kiro import PROFILE, KiroEmulator
from tests.grammar import violations
from tests.services import RunningRouter

from ccrouter.storage import credentials
from ccrouter.storage.tables import request_log

TOOL: Any = {
    "name": "add.numbers",
    "description": "adds",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "additionalProperties": False,
        "$schema": "http://json-schema.org/draft-07/schema#",
    },
}
HI: Any = [{"role": "user", "content": "What is 40 + 2?"}]


@pytest.fixture(scope="session")
def _kiro() -> Iterator[KiroEmulator]:
    with KiroEmulator() as emulator:
        yield emulator


@pytest.fixture
def kiro(_kiro: KiroEmulator) -> Iterator[KiroEmulator]:
    """The emulator; whatever reaches it must be flawless."""
    _kiro.reset()
    yield _kiro
    assert _kiro.violations == []


def a_key(router: RunningRouter, kiro: KiroEmulator, auth: dict[str, Any] | None = None, **options: Any) -> str:
    """A key that leads to the emulator."""
    return router.key_for("kiro", auth or kiro.auth, kiro.model, options={**kiro.options, **options})


def ask(router: RunningRouter, secret: str, *, streams: bool = False, **given: Any) -> anthropic.types.Message:
    """The answer that the official SDK reads, set up as its documentation says."""
    wanted: Any = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": HI} | given
    with anthropic.Anthropic(base_url=router.base_url, api_key=secret, max_retries=0) as client:
        if streams:
            with client.messages.stream(**wanted) as stream:
                return stream.get_final_message()
        message: anthropic.types.Message = client.messages.create(**wanted)
        return message


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("thinking", ["native", "emulated"])
def test_a_tool_loop_runs(router: RunningRouter, kiro: KiroEmulator, streams: bool, thinking: str) -> None:
    """Thinking, call, result, answer; two rows with an estimated usage and the credits."""
    kiro.native = thinking == "native"
    kiro.script("thinking", "tool_loop")
    kiro.call = ("add_numbers", {"a": 40, "b": 2})
    secret = a_key(router, kiro, thinking=thinking)
    messages = list(HI)
    for _ in range(3):
        message = ask(
            router,
            secret,
            streams=streams,
            max_tokens=5_000,
            messages=messages,
            tools=[TOOL],
            thinking={"type": "enabled", "budget_tokens": 2_000},
        )
        messages.append({"role": "assistant", "content": [block.to_dict() for block in message.content]})
        if message.stop_reason == "tool_use":
            call = message.content[-1]
            assert call.type == "tool_use"
            assert (call.name, call.input) == ("add.numbers", {"a": 40, "b": 2})
            result = {"type": "tool_result", "tool_use_id": call.id, "content": "42"}
            messages.append({"role": "user", "content": [result]})
        elif len(messages) == 2:
            assert [block.type for block in message.content] == ["thinking", "text"]
            assert message.content[0].to_dict()["thinking"] == "Let me see, 6 times 7."
            messages.append({"role": "user", "content": "Use the tool."})
    assert "42" in str(message.content[-1].to_dict()["text"])
    sent = kiro.generated[-1].json["conversationState"]["history"][1]["assistantResponseMessage"]
    assert ("reasoningContent" in sent) == (thinking == "native")
    for row in router.rows(secret, expect=3):
        assert (row["platform"], row["status"], row["stream"], row["usage_state"], row["cost_state"]) == (
            "kiro", "ok", streams, "estimated", "unpriced",
        )  # fmt: skip
        # Half a per cent of the window, without what was written.
        assert row["usage"]["input_tokens"] + row["usage"]["output_tokens"] == 1_000


def test_the_row_keeps_what_the_plan_was_charged(router: RunningRouter, kiro: KiroEmulator) -> None:
    """The credits stand in the raw usage, and the client does not see them."""
    secret = a_key(router, kiro)
    message = ask(router, secret)
    assert "kiro_credits" not in message.usage.to_dict()
    (row,) = router.rows(secret)
    with router.services.engine.connect() as connection:
        raw = connection.execute(select(request_log.c.usage_raw).where(request_log.c.id == row["id"])).scalar_one()
    assert raw["kiro_credits"] == 0.0625


@pytest.mark.parametrize("scenario", ["text", "thinking", "parallel_tools", "midstream_error", "truncated_eof", "cut"])
def test_a_stream_is_legal(router: RunningRouter, kiro: KiroEmulator, scenario: str) -> None:
    """Also one that breaks: then an error event ends it."""
    kiro.script(scenario)
    body = {
        "model": "claude-opus-5-5",
        "max_tokens": 100,
        "stream": True,
        "messages": HI,
        "thinking": {"type": "adaptive"},
    }
    secret = a_key(router, kiro)
    with router.client() as client:
        answer = client.post("/proxy/v1/messages", json=body, headers={"x-api-key": secret})
    assert violations(answer.content) == []
    (row,) = router.rows(secret)
    breaks = scenario in ("midstream_error", "truncated_eof", "cut")
    assert ("error" if breaks else "ok") == row["status"]
    if scenario == "midstream_error":
        error = json.loads(answer.content.split(b"data: ")[-1])["error"]
        assert error == {"type": "rate_limit_error", "message": "Too many requests, please wait before trying again."}


def test_a_failure_in_the_first_frame_is_an_error_answer(router: RunningRouter, kiro: KiroEmulator) -> None:
    """Nothing was streamed, so the client gets a status."""
    kiro.script("first_frame_exception")
    secret = a_key(router, kiro)
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(router, secret)
    assert "Too many requests" in caught.value.message


def test_a_refusal_reaches_the_client_in_its_shape(router: RunningRouter, kiro: KiroEmulator) -> None:
    """With Kiro's words, id and wait."""
    kiro.script("error_429_throttle")
    secret = a_key(router, kiro)
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(router, secret)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.request_id == "7a1f0c8e-0000-4000-8000-000000000001"
    (row,) = router.rows(secret)
    assert (row["status"], row["http_status"], row["error"]["type"]) == ("error", 429, "rate_limit_error")


def test_a_prompt_that_is_too_long_is_told_so_that_clients_compact(router: RunningRouter, kiro: KiroEmulator) -> None:
    """By the beginning of the message."""
    kiro.script("error_400_too_long")
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: Input is too long"):
        ask(router, a_key(router, kiro))


@pytest.mark.parametrize("scenario", ["error_403_suspended", "error_402_monthly", "error_403_bearer"])
def test_a_credential_that_is_refused_is_the_administrators_matter(
    router: RunningRouter, kiro: KiroEmulator, scenario: str
) -> None:
    """The client's own key is fine, and it is told not to repeat."""
    kiro.script(scenario)
    secret = a_key(router, kiro)
    with pytest.raises(anthropic.InternalServerError, match="administrator") as caught:
        ask(router, secret)
    assert (caught.value.status_code, caught.value.response.headers["x-should-retry"]) == (503, "false")
    assert len(kiro.generated) == 1


def test_foreign_reasoning_is_healed_once(router: RunningRouter, kiro: KiroEmulator) -> None:
    """The service does not know the signature; the same target answers without it."""
    thinking = {"type": "thinking", "thinking": "x", "signature": "px1:kiro:unknown"}
    messages = [*HI, {"role": "assistant", "content": [thinking, {"type": "text", "text": "a"}]}, *HI]
    secret = a_key(router, kiro)
    ask(router, secret, messages=messages)
    (row,) = router.rows(secret)
    assert [attempt["status"] for attempt in row["attempts"]] == [400, 200]


def test_many_requests_with_an_expired_token_cause_one_renewal(router: RunningRouter, kiro: KiroEmulator) -> None:
    """Twenty at once; all are answered, and the rotated token is stored."""
    kiro.pause_s, kiro.is_builder_id = 0.2, True
    auth = kiro.sign_in("idc", expires_at="2026-01-01T00:00:00Z")
    secret = a_key(router, kiro, auth)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: ask(router, secret), range(20)))
    assert {answer.stop_reason for answer in answers} == {"end_turn"}
    assert kiro.refreshes == 1
    (row, *_) = router.rows(secret, expect=20)
    stored = credentials.open_one(router.services.engine, router.services.vault, row["credential"]["id"])
    assert stored is not None
    assert stored.auth["refresh_token"] == kiro.refresh_token


def test_a_token_that_ends_early_is_renewed_and_the_request_answered(router: RunningRouter, kiro: KiroEmulator) -> None:
    """On the same credential; the row shows both tries."""
    kiro.is_builder_id = True
    secret = a_key(router, kiro, kiro.sign_in("social"))
    ask(router, secret)
    kiro.expire()
    ask(router, secret)
    assert [attempt["status"] for attempt in router.rows(secret, expect=2)[0]["attempts"]] == [403, 200]
    assert kiro.refreshes == 2


def test_a_sign_in_that_has_ended_is_blocked_with_a_reason(router: RunningRouter, kiro: KiroEmulator) -> None:
    """The client is told that an administrator must act."""
    kiro.failures = [(400, {"error": "invalid_grant"})]
    secret = a_key(router, kiro, kiro.sign_in("idc"))
    with pytest.raises(anthropic.InternalServerError, match="an administrator must sign it in again") as caught:
        ask(router, secret)
    assert (caught.value.status_code, caught.value.response.headers["x-should-retry"]) == (503, "false")
    (row,) = router.rows(secret)
    found = credentials.get(router.services.engine, row["credential"]["id"])
    assert found is not None
    assert "Sign in again" in (found.blocked_reason or "")


def test_a_profile_that_kiro_asks_for_is_found(router: RunningRouter, kiro: KiroEmulator) -> None:
    """And the request is answered."""
    kiro.needs_profile, kiro.profiles = True, [PROFILE]
    secret = a_key(router, kiro)
    ask(router, secret)
    assert [attempt["status"] for attempt in router.rows(secret)[0]["attempts"]] == [400, 200]
    ask(router, secret)
    assert [attempt["status"] for attempt in router.rows(secret, expect=2)[0]["attempts"]] == [200]


def test_a_client_that_leaves_ends_the_call(router: RunningRouter, kiro: KiroEmulator) -> None:
    """Kiro sees the connection close."""
    kiro.script("slow")
    secret = a_key(router, kiro)
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "stream": True, "messages": HI}
    with (
        router.client() as client,
        client.stream("POST", "/proxy/v1/messages", json=body, headers={"x-api-key": secret}) as answer,
    ):
        assert next(answer.iter_raw()).startswith(b"event: message_start")
    assert kiro.generated[0].client_left.wait(5)
    (row,) = router.rows(secret)
    assert row["status"] == "aborted"


def test_silence_is_given_up_sooner_than_elsewhere(
    router: RunningRouter, kiro: KiroEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the official client does it; a client that waits for a whole answer gets an error."""
    monkeypatch.setattr("ccrouter.platforms.kiro._SILENCE_WITHIN_S", 0.2)
    kiro.script("slow")
    secret = a_key(router, kiro)
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(router, secret)
    assert caught.value.status_code == 504
    assert kiro.generated[0].client_left.wait(5)


def test_tokens_are_counted_without_the_service(router: RunningRouter, kiro: KiroEmulator) -> None:
    """By the estimate."""
    body = {"model": "claude-opus-5-5", "messages": HI}
    with router.client() as client:
        answer = client.post("/proxy/v1/messages/count_tokens", json=body, headers={"x-api-key": a_key(router, kiro)})
    assert answer.json()["input_tokens"] > 3
    assert kiro.generated == []
