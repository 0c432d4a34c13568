"""Rows of callers without a key: at most 60 a minute and address (`product.md` §6)."""

import ipaddress
from collections.abc import Iterator

import pytest
from tests.app.asking import ask
from tests.services import RunningRouter, running_router
from tests.upstream import FakeUpstream

from ccrouter.embedded import EmbeddedServices
from ccrouter.storage import refusals

PROXY = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def behind_a_proxy(embedded: EmbeddedServices, upstream: FakeUpstream) -> Iterator[RunningRouter]:
    """A router that believes the address in x-forwarded-for."""
    with running_router(embedded, upstream, trusted_proxies=PROXY) as router:
        yield router


def test_guesses_of_an_address_cause_sixty_rows_a_minute(
    behind_a_proxy: RunningRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each guess is answered alike; another address, and a key that is good, still get their rows."""
    # The cap counts by the clock's minute, which must not end within the test.
    monkeypatch.setattr(refusals, "epoch_ms", lambda: 0)
    router = behind_a_proxy
    statuses = {ask(router, None, x_forwarded_for="203.0.113.5").status_code for _ in range(75)}
    assert statuses == {401}
    ask(router, None, x_forwarded_for="203.0.113.6, 10.9.9.9")
    assert ask(router, router.new_key(), x_forwarded_for="203.0.113.5").status_code == 200
    with router.client(authorization=f"Bearer {router.token()}") as client:
        rows = client.get("/api/v1/logs", params={"limit": 200}).json()["items"]
    counts: dict[tuple[str, int], int] = {}
    for row in rows:
        counts[row["client_ip"], row["http_status"]] = counts.get((row["client_ip"], row["http_status"]), 0) + 1
    assert counts == {("203.0.113.5", 401): 60, ("10.9.9.9", 401): 1, ("203.0.113.5", 200): 1}


def test_networks_of_a_key_are_those_of_the_client_behind_the_proxy(behind_a_proxy: RunningRouter) -> None:
    """The nearest address that no trusted proxy has, not what the client claims further left."""
    secret = behind_a_proxy.new_key(allowed_ips=["203.0.113.0/24"])
    assert ask(behind_a_proxy, secret, x_forwarded_for="198.51.100.1, 203.0.113.7").status_code == 200
    assert ask(behind_a_proxy, secret, x_forwarded_for="203.0.113.7, 198.51.100.1").status_code == 403
    assert ask(behind_a_proxy, secret).status_code == 403
