"""The real Claude Code behaves through the router as it does without: requests, exit code, what a person reads."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.claude_code import ConnectSink, run_claude, why_missing
from tests.cli.scenarios import LEFT_OUT, SCENARIOS, Scenario
from tests.services import UPSTREAM_SECRET, RunningRouter
from tests.upstream import FakeUpstream, Seen

pytestmark = [pytest.mark.cli, pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))]

CAPTURES = json.loads((Path(__file__).parents[1] / "fixtures/claude-code/19-error-behaviour.json").read_text())["rows"]
ROWS: dict[str, dict[str, Any]] = {row["scenario"]: row for row in CAPTURES}


@dataclass(frozen=True)
class Run:
    """What the program did in one run."""

    asked: list[tuple[Any, ...]]
    """Model, kind and status of each answer, as the captures have them."""
    said: list[dict[str, Any]]
    """What else the requests said that reached the platform."""
    ended: dict[str, Any]
    """How it ended, as the captures have it."""


def run(
    scenario: Scenario, platform: FakeUpstream, base_url: str, secret: str, sink: ConnectSink, path: str = ""
) -> Run:
    """Runs the program once against an address that ends at this platform."""
    platform.sides = True
    platform.script, platform.otherwise = list(scenario.answers), scenario.otherwise
    # A reset on a connection that the router took from its pool would be mended there and never reach the client.
    platform.drop_connections()
    outcome = run_claude(base_url + path, secret, sink, arguments=scenario.arguments, **scenario.environment)
    document = outcome.document
    place = base_url.removeprefix("http://")
    ended = {name: document.get(name) for name in ("is_error", "api_error_status", "stop_reason", "terminal_reason")}
    shown = document["result"].replace(place, "HOST:PORT")
    asked = [(seen.json["model"], seen.answer.kind, seen.answer.status) for seen in platform.seen]
    said = [_said(seen) for seen in platform.seen]
    if scenario.any_order:
        asked.sort(key=str)
        said.sort(key=str)
    return Run(asked, said, {"exit_code": outcome.exit_code, "shown_to_person": shown, **ended})


def _said(seen: Seen) -> dict[str, Any]:
    """What Claude Code tells a platform, but for what differs from run to run."""
    told = {name: value for name, value in seen.headers if name.startswith(("anthropic-", "x-stainless-", "x-app"))}
    body = seen.json
    return {
        "path": seen.path,
        "headers": told | {"user-agent": seen.header("user-agent"), "accept": seen.header("accept")},
        "members": list(body),
        "tools": [tool.get("name") for tool in body["tools"]],
        "messages": [(message["role"], _blocks(message["content"])) for message in body["messages"]],
        "limits": [body.get(name) for name in ("max_tokens", "stream", "thinking", "output_config")],
    }


def _blocks(content: Any) -> Any:
    return "a string" if isinstance(content, str) else [block["type"] for block in content]


def _without_ids(ended: dict[str, Any]) -> dict[str, Any]:
    """How a run ended, without what the platform of the captures named in its own way, and the size of the prompt."""
    shown = re.sub(r"(Request ID: |Message ID: |only ~)\w+", r"\1…", ended["shown_to_person"])
    return ended | {"shown_to_person": shown}


def test_no_captured_row_is_forgotten() -> None:
    """Every row of the captures is a scenario or is left out for a reason that is written down."""
    assert set(ROWS) == SCENARIOS.keys() | LEFT_OUT


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * scenario.slow) for name, scenario in SCENARIOS.items()]
)
def test_claude_code_behaves_as_without_the_router(
    router: RunningRouter, platform: FakeUpstream, sink: ConnectSink, name: str
) -> None:
    """Run against a platform and through the router; the first run proves that the script is the captured one."""
    scenario = SCENARIOS[name]
    secret = router.new_key()
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run, scenario, platform, platform.url, UPSTREAM_SECRET, sink)
        routed = run(scenario, router.upstream, router.url, secret, sink, "/proxy")
        direct = running.result()
    captured = ROWS[name]
    requests = [(item["model"], *item["answered"]) for item in captured["requests"]]
    assert (sorted(requests, key=str) if scenario.any_order else requests) == direct.asked
    assert _without_ids({member: captured[member] for member in direct.ended}) == _without_ids(direct.ended)
    assert direct.asked == routed.asked
    assert direct.said == routed.said
    assert direct.ended == routed.ended
    assert platform.violations == []
    assert sink.asked == []
    rows = router.rows(secret, expect=len(routed.asked))[::-1]
    assert [status or 502 for _, _, status in routed.asked] == [row["http_status"] for row in rows]
    assert [row["session_id"] for row in rows[:1]] * len(rows) == [row["session_id"] for row in rows]
