"""Which addresses the upstream leg connects to, checked at the moment of connecting (anthropic-passthrough.md §3)."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest
from aiohttp.abc import ResolveResult
from tests.contract.platform_server import (
    HELLO,
    LOOPBACK,
    Leg,
    Server,
    a_request,
    answering,
    run,
)

from ccrouter import upstream as leg
from ccrouter.errors import UpstreamError, UpstreamForbidden


def send_to(url: str, networks: tuple[Any, ...] = (), **fields: Any) -> Any:
    """One request to an address; returns the status."""

    async def work() -> int:
        upstream = Leg(networks)
        try:
            return (await upstream.send(a_request(url, **fields))).status
        finally:
            await upstream.close()

    return asyncio.run(work())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "[::1]",
        "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fec0::1]",
        "localhost",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_before_a_connection(host: str) -> None:
    """Nothing is sent, nobody is asked."""
    with pytest.raises(UpstreamForbidden, match="CCR_PRIVATE_UPSTREAMS"):
        send_to(f"http://{host}:1")


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "0x7f000001", "0", "127.0.1"])
def test_odd_spellings_of_an_address_open_nothing(host: str) -> None:
    """What a resolver would take for 127.0.0.1."""

    async def work(server: Server, upstream: Leg) -> None:
        guarded = Leg(())
        port = server.url.rpartition(":")[2]
        with pytest.raises(UpstreamError):
            await guarded.send(a_request(f"http://{host}:{port}"))
        await guarded.close()
        assert server.connections == 0

    run(answering(HELLO), work)


@pytest.mark.parametrize(
    ("networks", "fields"), [(LOOPBACK, {}), ((), {"open_network": True})], ids=["opened by name", "of the operator"]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_opened_networks_are_reached(networks: tuple[Any, ...], fields: dict[str, Any], host: str) -> None:
    """By CCR_PRIVATE_UPSTREAMS, or because the address is the environment's own."""

    async def work(server: Server, _upstream: Leg) -> None:
        upstream = Leg(networks)
        response = await upstream.send(a_request(server.url.replace("127.0.0.1", host), **fields))
        assert response.status == 200
        await upstream.close()

    run(answering(HELLO), work)


def test_metadata_addresses_stay_shut_whatever_is_opened() -> None:
    """Credentials of the machine lie there."""
    everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    for host in ("169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "[fe80::1]"):
        with pytest.raises(UpstreamForbidden):
            send_to(f"http://{host}:1", everything)


def test_of_a_names_addresses_only_the_allowed_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may point to several places, and to others tomorrow: each is checked when a connection is made."""

    class Names:
        async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
            return [
                ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
                for address in ("10.0.0.1", "127.0.0.1")
            ]

        async def close(self) -> None:
            pass

    monkeypatch.setattr(leg, "ThreadedResolver", Names)

    async def work(server: Server, upstream: Leg) -> None:
        port = server.url.rpartition(":")[2]
        assert (await upstream.send(a_request(f"http://platform.example:{port}"))).status == 200

    run(answering(HELLO), work)
    with pytest.raises(UpstreamForbidden, match=r"10\.0\.0\.1, 127\.0\.0\.1"):
        send_to("http://platform.example:1")
