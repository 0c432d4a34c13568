"""Antigravity's accounts through the real router: setting up, another project, tokens of a program."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.app.asking import ask, row_of
from tests.emulators.antigravity import AntigravityEmulator
from tests.emulators.gemini import google_error
from tests.services import RunningRouter

from ccrouter.ids import uuid7
from ccrouter.storage import audit, credentials
from ccrouter.worker.job_runner import JobRunner

WANTED: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture(scope="session")
def _google() -> Iterator[AntigravityEmulator]:
    with AntigravityEmulator() as emulator:
        yield emulator


@pytest.fixture
def google(_google: AntigravityEmulator) -> Iterator[AntigravityEmulator]:
    """Cloud Code Assist; whatever reaches it must be flawless."""
    _google.reset()
    yield _google
    assert _google.violations == []


def a_credential(router: RunningRouter, google: AntigravityEmulator, auth: dict[str, Any] | None = None) -> str:
    """A credential that must still sign in."""
    return router.new_credential(
        "antigravity",
        dict(google.auth) if auth is None else auth,
        name=f"google-{uuid7().hex}",
        base_url=google.url,
        options=google.options,
    )


def a_key(router: RunningRouter, google: AntigravityEmulator, credential_id: str) -> str:
    """A key that leads to it alone."""
    target = {"platform": "antigravity", "model": google.model, "credential_id": credential_id}
    return router.new_key({"default": [target]})


def project_of(router: RunningRouter, credential_id: str) -> Any:
    """The project that is stored."""
    opened = credentials.open_one(router.services.engine, router.services.vault, credential_id)
    assert opened is not None
    return opened.auth.get("project")


def test_an_administrator_lets_an_account_be_set_up(
    router: RunningRouter, google: AntigravityEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests never do it; the job says how it went, and requests go on then."""
    monkeypatch.setattr("ccrouter.tokens.code_assist._SET_UP_EVERY_S", 0.01)
    google.is_set_up = False
    made = a_credential(router, google)
    secret = a_key(router, google, made)
    assert "not set up" in row_of(router, ask(router, secret, WANTED))["attempts"][-1]["reason"]
    assert "onboardUser" not in str([seen.path for seen in google.seen])
    runner = JobRunner(router.services)
    with router.client(authorization=f"Bearer {router.token()}") as api:
        asked = api.post(f"/api/v1/credentials/{made}/set-up")
        assert (asked.status_code, asked.json()["kind"]) == (202, "credentials.set-up")
        runner.run_waiting()
        job = api.get(f"/api/v1/jobs/{asked.json()['id']}").json()
        assert (job["state"], job["error"]) == ("done", None)
        assert project_of(router, made) == google.project
        router.services.directory._routing = None
        assert ask(router, secret, WANTED).status_code == 200
        google.is_set_up, google.hindrance = False, "Verify your age first."
        asked = api.post(f"/api/v1/credentials/{made}/set-up")
        runner.run_waiting()
        job = api.get(f"/api/v1/jobs/{asked.json()['id']}").json()
        assert (job["state"], "Verify your age first." in job["error"]) == ("failed", True)
        assert api.post(f"/api/v1/credentials/{router.credential_id}/set-up").status_code == 422
        assert api.post("/api/v1/credentials/none/set-up").status_code == 404
        changed = api.patch(f"/api/v1/credentials/{made}", json={"options": {}})
        assert changed.status_code == 200
        assert api.post(f"/api/v1/credentials/{made}/set-up").json()["errors"][0]["field"] == "options.acknowledged"
    entries = audit.find(router.services.engine, audit.AuditFilters(object_id=made, action="credential.set-up"))
    assert len(entries.items) == 2


def test_a_refusal_of_the_project_asks_for_it_anew(router: RunningRouter, google: AntigravityEmulator) -> None:
    """Where the account has another by now, that one is tried once; where it has not, the refusal stands."""
    made = a_credential(router, google)
    secret = a_key(router, google, made)
    assert ask(router, secret, WANTED).status_code == 200
    denied = google_error(403, "PERMISSION_DENIED", "Permission denied on resource project proj-emulated.")
    google.project, google.refusals = "another-project", [denied]
    answer = ask(router, secret, WANTED)
    assert [attempt["status"] for attempt in row_of(router, answer)["attempts"]] == [403, 200]
    assert google.seen[-1].json["project"] == "another-project"
    assert project_of(router, made) == "another-project"
    google.refusals = [denied]
    answer = ask(router, secret, WANTED)
    assert [attempt["status"] for attempt in row_of(router, answer)["attempts"]] == [403]
    assert answer.status_code == 503
    asked = [seen.path for seen in google.seen].count("/v1internal:loadCodeAssist")
    assert asked == 3


def test_a_refusal_by_terms_asks_for_nothing(router: RunningRouter, google: AntigravityEmulator) -> None:
    """The credential is left alone until somebody acts."""
    made = a_credential(router, google)
    secret = a_key(router, google, made)
    assert ask(router, secret, WANTED).status_code == 200
    terms = "This project has been disabled for violation of Terms of Service."
    google.refusals = [google_error(403, "PERMISSION_DENIED", terms)]
    asked = len(google.seen)
    assert ask(router, secret, WANTED).status_code == 503
    assert len(google.seen) == asked + 1


def test_tokens_come_from_the_environments_program(
    router: RunningRouter, google: AntigravityEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a credential without a sign-in of its own."""
    (tmp_path / "program.py").write_text(f"""print('{{"access_token":"{google.token()}","expires_in":3600}}')""")
    services = router.services
    command = f"{sys.executable} {tmp_path / 'program.py'}"
    made = a_credential(router, google, {})
    secret = a_key(router, google, made)
    monkeypatch.setattr(services.sign_ins, "_token_command", None)
    services.sign_ins.__dict__.pop("_commanded", None)
    failed = row_of(router, ask(router, secret, WANTED))["attempts"][-1]
    assert "CCR_ANTIGRAVITY_TOKEN_COMMAND is not set" in failed["reason"]
    monkeypatch.setattr(services.sign_ins, "_token_command", command)
    services.sign_ins.__dict__.pop("_commanded", None)
    assert ask(router, secret, WANTED).status_code == 200
    services.sign_ins.__dict__.pop("_commanded", None)
