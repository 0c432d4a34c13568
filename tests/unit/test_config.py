"""Settings: each one that cannot work is named, all of them at once, and no secret is shown."""

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.config import Settings, read_environment, require
from ccrouter.credentials.vault import new_master_key, read_master_key
from ccrouter.errors import SettingsError

LOOPBACK = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128")))
WHOLE = {
    "DATABASE_URL": "postgresql://u:p@db.example:5433/x?sslmode=require",
    "REDIS_URL": "rediss://:p@redis.example:6380/1",
    "JWT_SECRET": "j" * 32,
    "CCR_MASTER_KEY": new_master_key(),
    "ADMIN_PASSWORD": "secret password",
    "CLAUDE_API_KEY": "sk-ant-secret",
    "CLAUDE_BASE_URL": "https://relay.example/api",
    "FRONTEND_URL": "https://router.example/",
    "PORT": "8080",
    "CCR_HOST": "0.0.0.0",
    "CCR_DATA_DIR": "/srv/data",
    "CCR_LOG_SINK": "db",
    "CCR_TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.1 ::1",
    "CCR_PRIVATE_UPSTREAMS": "10.1.0.0/16",
    "CCR_ANTIGRAVITY_TOKEN_COMMAND": "print-token --for 'my project'",
}


def problems_of(**environment: str) -> list[str]:
    """What is said about an environment."""
    with pytest.raises(SettingsError) as caught:
        read_environment(environment)
    return caught.value.problems


def test_nothing_needs_to_be_set() -> None:
    """The embedded mode: port 3000 of this machine, data beside the program, loopback open for local models."""
    found = read_environment({})
    assert found == Settings(private_upstreams=LOOPBACK)
    assert (found.port, found.host, found.data_dir, found.database_url) == (3000, "127.0.0.1", Path(".data"), None)


def test_everything_can_be_set() -> None:
    """Under its documented name."""
    found = read_environment(WHOLE)
    assert (found.database_url, found.redis_url, found.port) == (WHOLE["DATABASE_URL"], WHOLE["REDIS_URL"], 8080)
    assert (found.claude_api_key, found.claude_base_url) == ("sk-ant-secret", "https://relay.example/api")
    assert (found.data_dir, found.public_url) == (Path("/srv/data"), "https://router.example")
    assert found.trusted_proxies == tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "192.168.1.1", "::1")))
    assert found.private_upstreams == (ipaddress.ip_network("10.1.0.0/16"),)
    assert found.antigravity_token_command == "print-token --for 'my project'"
    assert not found.on_lambda


def test_with_a_database_of_ones_own_nothing_private_is_open() -> None:
    """It may stand beside other services."""
    assert read_environment({"DATABASE_URL": "postgresql://u@h/x"}).private_upstreams == ()


def test_an_empty_setting_is_none() -> None:
    """As compose files leave them."""
    assert read_environment(dict.fromkeys(WHOLE, " ")) == read_environment({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "3000.5"),
        ("PORT", "http"),
        ("PORT", "9" * 5000),
        ("JWT_SECRET", "j" * 31),
        ("DATABASE_URL", "mysql://h/x"),
        ("DATABASE_URL", "postgresql://"),
        ("DATABASE_URL", "h:5432/x"),
        ("DATABASE_URL", "postgresql://h:port/x"),
        ("DATABASE_URL", "postgresql://[::1/x"),
        ("REDIS_URL", "http://h"),
        ("REDIS_URL", "redis://h:99999"),
        ("FRONTEND_URL", "router.example"),
        ("FRONTEND_URL", "ftp://router.example"),
        ("CCR_MASTER_KEY", "too short"),
        ("CCR_MASTER_KEY", "k" * 43 + "é"),
        ("CCR_MASTER_KEY", "k" * 44),
        ("CCR_MASTER_KEY", "A" * 43 + "===="),
        ("CCR_LOG_SINK", "file"),
        ("CCR_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example"),
        ("CCR_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("CCR_PRIVATE_UPSTREAMS", "everything"),
        ("CCR_ANTIGRAVITY_TOKEN_COMMAND", "print 'token"),
        ("CLAUDE_API_KEY", "two words"),
        ("CLAUDE_API_KEY", "line\nend"),
        ("CLAUDE_API_KEY", "schlüssel"),
    ],
)
def test_a_setting_that_cannot_work_is_named(name: str, value: str) -> None:
    """By the name under which it is set."""
    (problem,) = problems_of(**{name: value})
    assert name in problem


@pytest.mark.parametrize(
    "value",
    ["relay.example", "https://relay.example/v1", "https://relay.example/v1/messages/", "https://u:p@relay.example",
     "https://relay.example?x=1"],
)  # fmt: skip
def test_an_address_of_claude_is_a_base(value: str) -> None:
    """`/v1/messages` follows it, and the key stands beside it."""
    (problem,) = problems_of(CLAUDE_API_KEY="k", CLAUDE_BASE_URL=value)
    assert "CLAUDE_BASE_URL" in problem


@pytest.mark.parametrize("address", ["http://10.0.0.1:8000", "http://localhost:8000", "http://169.254.1.1"])
def test_an_address_of_claude_in_a_private_network_is_the_operators_to_set(address: str) -> None:
    """It comes from the environment, so it is not restricted."""
    assert address == read_environment({"CLAUDE_API_KEY": "k", "CLAUDE_BASE_URL": f"{address}/"}).claude_base_url


def test_an_address_without_its_key_is_named() -> None:
    """Nothing could be sent to it."""
    (problem,) = problems_of(CLAUDE_BASE_URL="https://relay.example")
    assert "CLAUDE_API_KEY" in problem


GITHUB = {"GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "s3cret"}


def test_github_and_a_server_of_ones_own() -> None:
    """An Enterprise Server has its API below its address, unless another is named."""
    found = read_environment(GITHUB)
    assert (found.github_on, found.github_url, found.github_api_url) == (
        True, "https://github.com", "https://api.github.com",
    )  # fmt: skip
    assert found.github_callback == "http://localhost:3000/api/v1/auth/github/callback"
    own = read_environment(GITHUB | {"CCR_GITHUB_URL": "https://git.example/"})
    assert (own.github_url, own.github_api_url) == ("https://git.example", "https://git.example/api/v3")
    apart = read_environment(GITHUB | {"CCR_GITHUB_API_URL": "https://api.git.example/"})
    assert apart.github_api_url == "https://api.git.example"
    assert "s3cret" not in repr(found)
    assert not read_environment({}).github_on


def test_half_of_github_is_named() -> None:
    """Without its secret an application is none; and its cookies are for one host."""
    for name, value in GITHUB.items():
        (problem,) = problems_of(**{name: value})
        assert "GITHUB_CLIENT_ID" in problem
        assert "GITHUB_CLIENT_SECRET" in problem
    elsewhere = {"FRONTEND_URL": "https://a.example", "GITHUB_CALLBACK_URL": "https://b.example/callback"}
    (problem,) = problems_of(**GITHUB, **elsewhere)
    assert "GITHUB_CALLBACK_URL" in problem


def test_all_problems_are_told_at_once() -> None:
    """Nobody starts ten times to learn of ten."""
    found = problems_of(PORT="x", JWT_SECRET="short", REDIS_URL="x", CCR_TRUSTED_PROXIES="a,b")
    assert len(found) == 5
    assert [name for name in ("PORT", "JWT_SECRET", "REDIS_URL") if not any(name in line for line in found)] == []


def test_no_secret_is_shown() -> None:
    """Neither in a message nor where settings are printed."""
    secrets = {"JWT_SECRET": "s3cret", "CCR_MASTER_KEY": "s3cret", "DATABASE_URL": "x://u:s3cret@h",
               "REDIS_URL": "x://:s3cret@h", "CLAUDE_API_KEY": "s3cret s3cret"}  # fmt: skip
    assert not [line for line in problems_of(**secrets) if "s3cret" in line]
    shown = repr(read_environment(WHOLE))
    for name in ("DATABASE_URL", "REDIS_URL", "JWT_SECRET", "CCR_MASTER_KEY", "ADMIN_PASSWORD", "CLAUDE_API_KEY"):
        assert WHOLE[name] not in shown


def test_what_a_door_needs_is_named_when_it_is_missing() -> None:
    """All of it at once."""
    require(read_environment(WHOLE), "database_url", "master_key")
    with pytest.raises(SettingsError) as caught:
        require(Settings(), "database_url", "master_key", "jwt_secret")
    assert caught.value.problems == ["DATABASE_URL is not set", "CCR_MASTER_KEY is not set", "JWT_SECRET is not set"]


@given(st.text(st.sampled_from("Aa0+/-_= \n"), min_size=40, max_size=48))
def test_a_master_key_that_is_admitted_can_be_read(text: str) -> None:
    """The check of the form and the reader agree."""
    try:
        found = read_environment({"CCR_MASTER_KEY": text}).master_key
    except SettingsError:
        return
    if found is not None:
        assert len(read_master_key(found)) == 32
