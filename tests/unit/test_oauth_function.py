"""The OAuth door as a function of its own: what it answers, and what it does without."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}",
    "PATH": "/usr/bin:/bin",
    "JWT_SECRET": "j" * 40,
    "FRONTEND_URL": "https://router.example",
    "GITHUB_CLIENT_ID": "id",
    "GITHUB_CLIENT_SECRET": "secret",
}
CALLED = """
import json, sys
from functions.oauth.app import handler
event = {
    "version": "2.0", "routeKey": "$default", "rawPath": "/api/v1/auth/github", "rawQueryString": "next=%2Fkeys",
    "headers": {"host": "router.example"}, "isBase64Encoded": False,
    "requestContext": {"http": {"method": "GET", "path": "/api/v1/auth/github", "sourceIp": "203.0.113.7"}},
}
answer = handler(event, None)
print(json.dumps({"answer": answer, "modules": sorted(sys.modules)}))
"""


def run(code: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, as Lambda starts it."""
    environment = {name: value for name, value in (ENVIRONMENT | changes).items() if value}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_it_answers_an_event_and_has_no_database() -> None:
    """A redirect with its cookie; neither drivers nor the AWS SDK nor the other doors are loaded."""
    done = run(CALLED)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    answer = document["answer"]
    assert answer["statusCode"] == 303
    assert answer["headers"]["location"].startswith("https://github.com/login/oauth/authorize?")
    assert (answer["headers"]["cache-control"], answer["headers"]["referrer-policy"]) == ("no-store", "no-referrer")
    assert [cookie.partition("=")[0] for cookie in answer["cookies"]] == ["__Host-ccr_github"]
    loaded = {name.partition(".")[0] for name in document["modules"]} | set(document["modules"])
    assert not loaded & {"sqlalchemy", "pg8000", "redis", "botocore", "aiohttp", "ccrouter.admin", "ccrouter.proxy"}
    assert {"authlib", "fastapi"} <= loaded


def test_it_says_what_it_needs() -> None:
    """Each missing setting by name, before anybody calls."""
    done = run("import functions.oauth.app", GITHUB_CLIENT_ID="", GITHUB_CLIENT_SECRET="", JWT_SECRET="")
    assert done.returncode == 1
    for name in ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "JWT_SECRET"):
        assert name in done.stderr.splitlines()[-1] or name in done.stderr
