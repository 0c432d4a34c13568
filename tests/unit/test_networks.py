"""Addresses: where the router may be sent, and who a caller is."""

import ipaddress

import pytest

from ccrouter.networks import Network, check_base_url, client_address, is_allowed

NOTHING: tuple[Network, ...] = ()
EVERYTHING: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
OFFICE: tuple[Network, ...] = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16"))

PUBLIC = ["1.1.1.1", "160.79.104.10", "2607:6bc0::10", "64:ff9b::101:101", "2002:101:101::1"]
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "192.0.0.1", "192.0.2.1",
    "198.18.0.1", "203.0.113.1", "240.0.0.1", "255.255.255.255", "0.0.0.0", "224.0.0.1", "::", "::1", "fd12::1",
    "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "::ffff:10.1.2.3", "::10.1.2.3", "64:ff9b::a01:203",
    "64:ff9b:1::a01:203", "2002:a01:203::1", "2001:0:a01:203::",
]  # fmt: skip
METADATA = ["169.254.169.254", "169.254.170.2", "fe80::1", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_open(address: str) -> None:
    """However it is written."""
    assert is_allowed(ipaddress.ip_address(address), NOTHING)


@pytest.mark.parametrize("address", PRIVATE + METADATA)
def test_what_is_not_public_is_shut(address: str) -> None:
    """Also inside an IPv6 address that carries it."""
    assert not is_allowed(ipaddress.ip_address(address), NOTHING)


@pytest.mark.parametrize("address", [*METADATA, "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"])
def test_metadata_stays_shut_whatever_is_opened(address: str) -> None:
    """There the machine's own credentials lie."""
    assert not is_allowed(ipaddress.ip_address(address), EVERYTHING)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd12::1", True), ("10.2.0.1", False), ("127.0.0.1", False)],
)
def test_the_operator_opens_networks(address: str, expected: bool) -> None:
    """Those, and no others."""
    assert expected is is_allowed(ipaddress.ip_address(address), OFFICE)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com"),
        (" https://api.anthropic.com/ ", "https://api.anthropic.com"),
        ("https://openrouter.ai/api", "https://openrouter.ai/api"),
        ("https://api.z.ai/api/anthropic//", "https://api.z.ai/api/anthropic"),
        ("http://example.com:8080", "http://example.com:8080"),
        ("http://10.1.2.3:8000", "http://10.1.2.3:8000"),
        ("http://[fd12::1]:8000/x", "http://[fd12::1]:8000/x"),
        ("HTTPS://Example.COM", "https://Example.COM"),
        ("http://_dmarc-host_1.example.com", "http://_dmarc-host_1.example.com"),
    ],
)
def test_an_address_is_stored_without_a_slash_at_its_end(given: str, stored: str) -> None:
    """So that `/v1/messages` follows."""
    assert stored == check_base_url(given, OFFICE)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "begins with"),
        ("api.anthropic.com", "begins with"),
        ("ftp://example.com", "begins with"),
        ("file:///etc/passwd", "begins with"),
        ("https://", "begins with"),
        ("https://exämple.com", "begins with"),
        ("https://user@example.com", "user name"),
        ("https://:pw@example.com", "user name"),
        ("https://example.com\\@10.2.0.1", "user name"),
        ("https://example.com?x=1", "no \\?"),
        ("https://example.com/#x", "no #"),
        ("https://example.com:99999", "such as"),
        ("https://example.com:port", "such as"),
        ("https://[::1", "such as"),
        ("https://api.anthropic.com/v1", "without /v1"),
        ("https://api.anthropic.com/v1/", "without /v1"),
        ("https://api.anthropic.com/v1/messages", "without /v1"),
        ("http://127.0.0.1:8000", "private network"),
        ("http://localhost:8000", "private network"),
        ("http://LOCALHOST", "private network"),
        ("http://10.2.0.1", "private network"),
        ("http://169.254.169.254/latest", "private network"),
        ("http://[::ffff:127.0.0.1]", "private network"),
        ("http://[fe80::1%25eth0]", "private network"),
        ("http://127.1", "no name of a host"),
        ("http://2130706433", "no name of a host"),
        ("http://0177.0.0.1", "no name of a host"),
        ("http://127.0.0.1.", "no name of a host"),
        ("http://0x7f.0.0.1", "no name of a host"),
        ("http://%31%32%37.0.0.1", "no name of a host"),
        ("http://exa mple.com", "no name of a host"),
        ("http://example.com;x", "no name of a host"),
        ("http://a..b", "no name of a host"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_with_its_reason(given: str, reason: str) -> None:
    """Before anybody wonders why requests fail; odd spellings of an address first of all."""
    with pytest.raises(ValueError, match=reason):
        check_base_url(given, OFFICE)


PROXIES: tuple[Network, ...] = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("fd00::1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7, _hidden", "10.0.0.1"),
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        (None, "1.2.3.4", None),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_caller_is_the_nearest_address_that_is_no_trusted_proxy(
    peer: str | None, forwarded: str, expected: str | None
) -> None:
    """Read from the right: what stands further left may be invented."""
    assert expected == client_address(peer, forwarded, PROXIES)


def test_without_trusted_proxies_nobody_is_believed() -> None:
    """The header is everybody's to send."""
    assert client_address("10.0.0.1", "203.0.113.7", ()) == "10.0.0.1"
