"""Ending a router that is at work: what clients get, and that nothing is missing from the log."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
from tests.integration.launched import json_of, new_installation
from tests.raw_platform import RawPlatform

PASSWORD = "correct horse"


def test_a_second_ctrl_c_cuts_the_answers_under_way_and_still_records_them() -> None:
    """The first waits for them, the second does not; clients are told, and the row is there at the next start."""
    with ThreadPoolExecutor(1) as in_background, RawPlatform(None) as platform, new_installation() as installation:
        settings = {
            "CLAUDE_API_KEY": "sk-ant-given",
            "CLAUDE_BASE_URL": platform.url,
            "ADMIN_PASSWORD": PASSWORD,
        }
        with installation.launch(**settings) as router:
            router.wait_until_ready()
            key = json_of(installation.run("keys", "create", "one", "--json"))["key"]
            waiting = in_background.submit(router.ask, key)
            assert platform.arrived.wait(10)
            router.process.send_signal(signal.SIGINT)
            router.wait_to_say("stopping: answers under way may end within 20 s")
            assert router.process.poll() is None
            began = time.monotonic()
            assert router.end(signal.SIGINT) == 0
            assert time.monotonic() - began < 10
            assert waiting.result(10).status_code == 503
            assert "Traceback" not in router.said
        with installation.running(**settings) as router, httpx2.Client(base_url=router.url) as client:
            signed_in = client.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}).json()
            rows = client.get("/api/v1/logs", headers={"authorization": f"Bearer {signed_in['access_token']}"}).json()
        assert [(row["status"], row["http_status"], row["attempts"][0]["outcome"]) for row in rows["items"]] == [
            ("error", 503, "aborted")
        ]
