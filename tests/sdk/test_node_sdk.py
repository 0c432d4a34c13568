"""The official SDK for Node against the router: every transcript, and the calls and errors that programs meet."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.services import UPSTREAM_SECRET, RunningRouter
from tests.transcripts import ERRORS, EXPECTED, QUESTION, transcript
from tests.upstream import Answer, FakeUpstream, error, json_answer, message, sse

from ccrouter.access.keys import new_secret

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools/node-sdk"
SCRIPT = Path(__file__).parent / "node/cases.mjs"
AS_RECORDED = json.loads((ROOT / "tests/fixtures/anthropic-sse/verification-typescript.json").read_text())["fixtures"]


REFUSED = {
    "refused": ("ServiceUnavailableError", 503, "false"),
    "unknown key": ("AuthenticationError", 401, "false"),
}


def why_missing() -> str | None:
    """Why the SDK cannot be run here, None where it can."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    if not (TOOLS / "node_modules/@anthropic-ai/sdk").exists():
        return f"@anthropic-ai/sdk is not installed ({TOOLS.relative_to(ROOT)}); run: make test-tools"
    return None


pytestmark = [pytest.mark.node, pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))]


def outcomes(base_url: str, secret: str, *cases: dict[str, Any]) -> list[dict[str, Any]]:
    """What came of these cases, in their order, all in one process; each has `secret` as its key unless it says so."""
    asked = [{"parameters": QUESTION, "api_key": secret, **case} for case in cases]
    done = subprocess.run(
        ["node", SCRIPT, TOOLS],
        input=json.dumps({"base_url": base_url, "cases": asked}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_sdk_reads_every_transcript_as_it_is(router: RunningRouter, platform: FakeUpstream) -> None:
    """The final message, or the error, is the same with and without the router, and the one that was recorded."""
    platform.script = [sse(transcript(name)) for name in EXPECTED]
    router.upstream.script = [sse(transcript(name)) for name in EXPECTED]
    cases = [{"call": "beta_stream" if expected["beta"] else "stream"} for expected in EXPECTED.values()]
    direct = outcomes(platform.url, UPSTREAM_SECRET, *cases)
    routed = outcomes(router.base_url, router.new_key(), *cases)
    assert direct == routed
    assert {name: as_recorded(outcome) for name, outcome in zip(EXPECTED, routed, strict=True)} == AS_RECORDED


def as_recorded(outcome: dict[str, Any]) -> dict[str, Any]:
    """An outcome in the words of the recording."""
    unchanged = {"same_for_all_chunk_sizes": True}
    if "raised" in outcome:
        words = {"error_class": outcome["raised"], "error_type": outcome["type"], "text": outcome["message"]}
        return {"result": "error", **words, **unchanged}
    final = outcome["result"]
    counts = {name: final["usage"][name] for name in ("input_tokens", "output_tokens")}
    blocks = [block["type"] for block in final["content"]]
    return {"result": "ok", "stop_reason": final["stop_reason"], **counts, "blocks": blocks, **unchanged}


def test_every_error_of_the_platform_arrives_as_it_is(router: RunningRouter, platform: FakeUpstream) -> None:
    """Class, status, type, body, words, request id and `x-should-retry` are those of the platform itself."""
    refusals = [
        Answer("json", answer["status"], tuple(answer["headers"].items()), (json.dumps(answer["body"]).encode(),))
        for answer in ERRORS
    ]
    platform.script, router.upstream.script = list(refusals), list(refusals)
    direct = outcomes(platform.url, UPSTREAM_SECRET, *[{"call": "create"}] * len(ERRORS))
    routed = outcomes(router.base_url, router.new_key(), *[{"call": "create"}] * len(ERRORS))
    assert [answer["body"] for answer in ERRORS] == [outcome["body"] for outcome in direct]
    assert direct == routed


def test_the_other_calls_of_the_sdk(router: RunningRouter) -> None:
    """Messages without streaming by key and by token, counts, models, repeats of what passes, refusals at once."""
    key = router.new_key()
    cases: dict[str, tuple[dict[str, Any], list[Answer]]] = {
        "whole": ({"call": "create"}, [json_answer(message("hello"))]),
        "by token": ({"call": "create", "api_key": None, "auth_token": key}, [json_answer(message("hello"))]),
        "count": (
            {"call": "count_tokens", "parameters": {name: QUESTION[name] for name in ("model", "messages")}},
            [json_answer({"input_tokens": 2095})],
        ),
        "models": ({"call": "models", "parameters": {"limit": 2}}, []),
        "repeats": (
            {"call": "create", "max_retries": 2},
            [
                error(429, "rate_limit_error", "once", retry_after_ms="1"),
                error(529, "overloaded_error", "once more", retry_after_ms="1"),
                json_answer(message("third time")),
            ],
        ),
        "refused": ({"call": "create", "max_retries": 2}, [error(401, "authentication_error", "invalid x-api-key")]),
        "unknown key": ({"call": "create", "max_retries": 2, "api_key": new_secret()}, []),
    }
    router.upstream.script = [answer for _, answers in cases.values() for answer in answers]
    found = dict(zip(cases, outcomes(router.base_url, key, *[case for case, _ in cases.values()]), strict=True))
    assert len(router.upstream.script) == len(router.upstream.seen)
    answered = message("hello") | {"request_id": "req_upstream"}
    assert answered == found["whole"]["result"] == found["by token"]["result"]
    assert found["count"]["result"] == {"input_tokens": 2095}
    assert "claude-opus-5-5" in found["models"]["result"]
    assert message("third time")["content"] == found["repeats"]["result"]["content"]
    told = {name: (found[name]["raised"], found[name]["status"], found[name]["should_retry"]) for name in REFUSED}
    assert told == REFUSED
