"""Settings: each one that cannot work is named, all of them at once, and no secret is shown."""

import ipaddress
from pathlib import Path

import pytest

from ccrouter.config import Settings, read_environment, require
from ccrouter.credentials.vault import new_master_key
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
    assert not found.on_lambda


def test_with_a_database_of_ones_own_nothing_private_is_open() -> None:
    """It may stand beside other services."""
    assert read_environment({"DATABASE_URL": "postgresql://u@h/x"}).private_upstreams == ()


def test_an_empty_setting_is_none() -> None:
    """As compose files leave them."""
    assert read_environment(dict.fromkeys(WHOLE, " ")) == read_environment({})


def test_an_address_without_its_key_is_named() -> None:
    """Nothing could be sent to it."""
    (problem,) = problems_of(CLAUDE_BASE_URL="https://relay.example")
    assert "CLAUDE_API_KEY" in problem


def test_all_problems_are_told_at_once() -> None:
    """Nobody starts ten times to learn of ten."""
    found = problems_of(PORT="x", JWT_SECRET="short", REDIS_URL="x", CCR_TRUSTED_PROXIES="a,b")
    assert len(found) == 5
    assert [name for name in ("PORT", "JWT_SECRET", "REDIS_URL") if not any(name in line for line in found)] == []


def test_what_a_door_needs_is_named_when_it_is_missing() -> None:
    """All of it at once."""
    require(read_environment(WHOLE), "database_url", "master_key")
    with pytest.raises(SettingsError) as caught:
        require(Settings(), "database_url", "master_key", "jwt_secret")
    assert caught.value.problems == ["DATABASE_URL is not set", "CCR_MASTER_KEY is not set", "JWT_SECRET is not set"]
