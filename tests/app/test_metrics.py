"""`GET /metrics`: what a process has served, for monitoring."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from tests.app.asking import ask
from tests.services import RunningRouter, running_router
from tests.upstream import FakeUpstream, json_answer, message

from ccrouter.clock import epoch_s
from ccrouter.embedded import EmbeddedServices
from ccrouter.routing.condition import Condition
from ccrouter.storage.outbox import Outbox

TOKEN = "a token for monitoring"
SAMPLE = re.compile(r'^(ccrouter_\w+)(?:\{((?:\w+="[^"\\\n]*",?)+)\})? (\S+)$')


@pytest.fixture(scope="module")
def _watched(embedded: EmbeddedServices, _shared_upstream: FakeUpstream) -> Iterator[RunningRouter]:
    with running_router(embedded, _shared_upstream, metrics_token=TOKEN) as router:
        yield router


@pytest.fixture
def watched(_watched: RunningRouter, upstream: FakeUpstream) -> RunningRouter:
    """A router that is watched."""
    return _watched


def page(router: RunningRouter, token: str = TOKEN) -> httpx2.Response:
    """What monitoring gets."""
    with router.client(authorization=f"Bearer {token}") as client:
        return client.get("/metrics")


def samples(router: RunningRouter) -> dict[tuple[str, str], float]:
    """All samples by name and labels; each line has the format's form."""
    answer = page(router)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found: dict[tuple[str, str], float] = {}
    for line in answer.text.splitlines():
        if not line.startswith("# "):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            assert (match[1], match[2] or "") not in found, line
            found[match[1], match[2] or ""] = float(match[3])
    return found


def test_what_was_served_is_counted(watched: RunningRouter) -> None:
    """Requests by status, tokens, cost, and how long it took; each sample once, histograms adding up."""
    watched.upstream.otherwise = json_answer(message("dear") | {"usage": {"input_tokens": 25_000, "output_tokens": 0}})
    secret = watched.new_key(limits={"rpm": 2})
    before = samples(watched)
    assert [ask(watched, secret).status_code for _ in range(3)] == [200, 200, 429]

    def grown(name: str, labels: str = "") -> float:
        return round(after[name, labels] - before.get((name, labels), 0), 6)

    after = samples(watched)
    of = 'kind="messages",platform='
    assert grown("ccrouter_requests_total", f'{of}"anthropic",status="ok"') == 2
    assert grown("ccrouter_requests_total", f'{of}"none",status="limited"') == 1
    assert grown("ccrouter_tokens_total", 'platform="anthropic",class="input"') == 50_000
    assert grown("ccrouter_cost_usd_total", 'platform="anthropic"') == 0.2
    assert grown("ccrouter_request_duration_seconds_count", 'platform="anthropic"') == 2
    assert grown("ccrouter_request_duration_seconds_bucket", 'platform="anthropic",le="+Inf"') == 2
    assert after["ccrouter_requests_in_flight", ""] == 0
    assert after["ccrouter_credentials_resting", ""] == 0
    assert after["ccrouter_outbox_bytes", ""] == 0


def test_what_is_in_flight_is_told(watched: RunningRouter) -> None:
    """While a request waits for its platform."""
    slow = json_answer(message("slow"))
    watched.upstream.script = [type(slow)(slow.kind, slow.status, slow.headers, (1.0, *slow.pieces))]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, watched, watched.new_key())
        watched.upstream.wait_for(1)
        assert samples(watched)["ccrouter_requests_in_flight", ""] == 1
        assert waiting.result().status_code == 200


def test_a_credential_that_rests_is_counted(watched: RunningRouter) -> None:
    """Until its cool-down ends."""
    conditions = watched.services.states._pool.conditions
    conditions["somebody"] = {"": Condition(at=epoch_s(), until=epoch_s() + 60)}
    try:
        assert samples(watched)["ccrouter_credentials_resting", ""] == 1
        conditions["somebody"] = {"": Condition(at=epoch_s() - 60, until=epoch_s() - 1)}
        assert samples(watched)["ccrouter_credentials_resting", ""] == 0
    finally:
        del conditions["somebody"]


def test_the_size_of_the_outbox_is_that_of_its_files(tmp_path: Path) -> None:
    """Nothing, then a line."""
    (tmp_path / "outbox").mkdir()
    outbox = Outbox(tmp_path / "outbox")
    assert outbox.size() == 0
    outbox.append([b"{}"])
    assert outbox.size() == (tmp_path / "outbox" / "outbox.jsonl").stat().st_size > 0


def test_no_key_and_no_account_is_named(watched: RunningRouter) -> None:
    """Labels are platforms and words of this program."""
    watched.upstream.otherwise = json_answer(message("dear"))
    ask(watched, watched.new_key(name="secret project"))
    text = page(watched).text
    labels = set(re.findall(r'(\w+)="', text))
    assert labels <= {"version", "kind", "platform", "status", "outcome", "class", "le"}
    assert not any(word in text for word in ("secret project", "fake platform", watched.admin.id))


@pytest.mark.parametrize("token", ["x", "wrong", TOKEN + "x"])
def test_who_has_no_token_learns_nothing(watched: RunningRouter, token: str) -> None:
    """401."""
    assert page(watched, token).status_code == 401


def test_without_the_setting_there_are_no_metrics(router: RunningRouter) -> None:
    """404, whatever token is shown; and they are not in the description of the API."""
    assert page(router).status_code == 404
    with router.client() as client:
        assert "/metrics" not in client.get("/api/openapi.json").json()["paths"]
