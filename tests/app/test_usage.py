"""`GET /v1/usage`: how a key stands, for whoever holds it; and the status line that shows it."""

import json
import os
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.app.asking import ask, assert_own_error
from tests.services import RunningRouter
from tests.upstream import json_answer, message

from ccrouter.access.keys import new_secret
from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage import keys, users

DOCUMENT = (Path(__file__).parents[2] / "docs" / "status-line.md").read_text()
WINDOWS = ["5h", "day", "week", "month", "total"]


def usage(router: RunningRouter, secret: str, path: str = "/v1/usage") -> httpx2.Response:
    """What it answers now; the copies of a few seconds ago are forgotten."""
    router.services.limits._spending._by_windows.clear()
    router.services.directory._keys.clear()
    with router.client(authorization=f"Bearer {secret}") as client:
        return client.get(path)


def spend_of(answer: dict[str, Any], of: str = "key") -> dict[str, dict[str, Any]]:
    """Its windows by name."""
    return {item["window"]: item for item in answer["spend"] if item["of"] == of}


def test_a_key_learns_what_is_left_and_when_it_resets(router: RunningRouter) -> None:
    """Requests, tokens and places now; spend in every window, with what is left where it is limited."""
    router.upstream.otherwise = json_answer(message("dear") | {"usage": {"input_tokens": 25_000, "output_tokens": 0}})
    limits = {"rpm": 60, "tpm": 100_000, "concurrency": 5, "spend": {"day": "1.00"}}
    secret = router.new_key(limits=limits, expires_at="2099-01-01T00:00:00Z")
    for _ in range(2):
        assert ask(router, secret).status_code == 200
    answer = usage(router, secret)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document = answer.json()
    assert set(document) == {"type", "at", "key", "limits", "spend", "counted_by"}
    assert document["key"] == {"name": "test key", "expires_at": "2099-01-01T00:00:00.000Z"}
    assert document["counted_by"] == "all"
    rpm, tpm, concurrency = (document["limits"][name] for name in ("rpm", "tpm", "concurrency"))
    assert (rpm["limit"], rpm["used"], rpm["remaining"]) == (60, 2, 58)
    assert (tpm["limit"], tpm["used"], tpm["remaining"]) == (100_000, 50_000, 50_000)
    assert concurrency == {"limit": 5, "used": 0, "remaining": 5, "resets_at": None}
    assert rpm["resets_at"] > document["at"]
    spend = spend_of(document)
    assert list(spend) == WINDOWS
    # 50,000 × 4 USD per million.
    assert {item["spent"] for item in spend.values()} == {"0.2"}
    day = spend["day"]
    assert (day["limit"], day["remaining"], day["percent"], day["on_spend"]) == ("1", "0.8", 20, "reject")
    assert day["begins_at"] == f"{utc_now():%Y-%m-%d}T00:00:00.000Z"
    assert day["resets_at"] > document["at"]
    assert (spend["total"]["limit"], spend["total"]["remaining"], spend["total"]["resets_at"]) == (None, None, None)


def test_a_key_without_limits_learns_what_it_has_spent(router: RunningRouter) -> None:
    """Under both addresses; no limit is no number."""
    secret = router.new_key()
    for path in ("/v1/usage", "/proxy/v1/usage", "/proxy/v1/usage?x=y"):
        document = usage(router, secret, path).json()
        assert document["limits"] == {"rpm": None, "tpm": None, "concurrency": None}
        assert {item["spent"] for item in document["spend"]} == {"0"}


def test_an_owners_limit_is_among_them(router: RunningRouter) -> None:
    """Only the windows that are limited: what else the owner spends is not the key's."""
    engine, secret = router.services.engine, new_secret()
    owner = users.create(engine, f"owner-{uuid7().hex}")
    users.change(engine, owner.id, {"limits": {"spend": {"week": "5"}}})
    keys.create(engine, owner.id, secret, {"name": "k"})
    found = spend_of(usage(router, secret).json(), "owner")
    assert {name: item["remaining"] for name, item in found.items()} == {"week": "5"}


@pytest.mark.parametrize("path", ["/v1/usage", "/proxy/v1/usage"])
def test_who_has_no_key_learns_nothing(router: RunningRouter, path: str) -> None:
    """As everywhere; and it may be used from the key's networks only."""
    assert_own_error(usage(router, "sk-ccr-nothing", path), 401, "authentication_error")
    bound = router.new_key(allowed_ips=["10.0.0.0/8"])
    assert_own_error(usage(router, bound, path), 403, "permission_error")


def script() -> str:
    """The script of the documentation."""
    (found,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", DOCUMENT, re.DOTALL)
    return str(found)


def line(tmp_path: Path, given: str, **environment: str) -> str:
    """What the status line says."""
    place = tmp_path / "statusline.sh"
    place.write_text(script())
    done = subprocess.run(
        ["sh", str(place)],
        input=given,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


GIVEN = json.dumps({"session_id": "s", "model": {"id": "claude-opus-5-5", "display_name": "Opus 5.5"}, "cwd": "/x"})


def test_the_status_line_of_the_documentation_shows_it(router: RunningRouter, tmp_path: Path) -> None:
    """The model, and the windows that are limited; asked at most every 15 s."""
    router.upstream.otherwise = json_answer(message("dear") | {"usage": {"input_tokens": 100_000, "output_tokens": 0}})
    secret = router.new_key(limits={"spend": {"day": "1.00", "month": "20"}})
    ask(router, secret)
    usage(router, secret)
    settings = {"ANTHROPIC_BASE_URL": router.base_url, "ANTHROPIC_AUTH_TOKEN": secret}
    shown = line(tmp_path, GIVEN, **settings)
    assert shown.startswith("Opus 5.5 | ")
    assert "day $0.40 of $1.00 (40%)" in shown
    assert "month $0.40 of $20.00 (2%)" in shown
    ask(router, secret)
    usage(router, secret)
    assert line(tmp_path, GIVEN, **settings) == shown
    assert Decimal(spend_of(usage(router, secret).json())["day"]["spent"]) == Decimal("0.8")


def test_the_status_line_never_fails(router: RunningRouter, tmp_path: Path) -> None:
    """Without a limit it shows the day; without an answer, a key or any input it still says something."""
    settings = {"ANTHROPIC_BASE_URL": router.base_url, "ANTHROPIC_API_KEY": router.new_key()}
    assert line(tmp_path, GIVEN, **settings) == "Opus 5.5 | today $0.00"
    away = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9/proxy", "ANTHROPIC_AUTH_TOKEN": "sk-ccr-x"}
    assert line(tmp_path, GIVEN, **away) == "Opus 5.5 | usage unknown"
    assert line(tmp_path, GIVEN) == "Opus 5.5"
    assert line(tmp_path, "") == "Claude"
