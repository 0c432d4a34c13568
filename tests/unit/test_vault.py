"""Secrets at rest: sealed under one key, for one place."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccrouter.credentials.vault import Vault, VaultError, new_master_key, read_master_key

VAULT = Vault(b"k" * 32)


@given(st.binary(max_size=500), st.text(max_size=40))
def test_what_is_sealed_opens_in_its_place(secret: bytes, context: str) -> None:
    """Any bytes, for any place."""
    assert secret == VAULT.open(VAULT.seal(secret, context), context)


def test_a_sealed_secret_shows_nothing_and_never_twice_the_same() -> None:
    """Equal secrets do not look equal."""
    first, second = VAULT.seal(b"sk-ant-secret", "a"), VAULT.seal(b"sk-ant-secret", "a")
    assert first != second
    assert b"secret" not in first + second


def test_it_opens_nowhere_else_and_under_no_other_key() -> None:
    """Moved to another credential, or under another master key: an error that names the place, not the secret."""
    sealed = VAULT.seal(b"sk-ant-secret", "credential:1")
    with pytest.raises(VaultError, match="credential:2"):
        VAULT.open(sealed, "credential:2")
    with pytest.raises(VaultError, match="CCR_MASTER_KEY does not fit"):
        Vault(b"x" * 32).open(sealed, "credential:1")


@given(st.data())
def test_no_change_goes_unnoticed(data: st.DataObject) -> None:
    """Any altered, missing or added byte is an error of its own kind."""
    sealed = VAULT.seal(b"secret", "a")
    position = data.draw(st.integers(0, len(sealed) - 1))
    flip = data.draw(st.integers(1, 255))
    altered = sealed[:position] + bytes([sealed[position] ^ flip]) + sealed[position + 1 :]
    for broken in (altered, sealed[:position], sealed + b"x"):
        with pytest.raises(VaultError):
            VAULT.open(broken, "a")


@given(st.binary(min_size=32, max_size=32))
def test_a_master_key_is_read_in_either_alphabet(key: bytes) -> None:
    """With and without the sign at its end, and with the line end of a file."""
    for text in (base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()):
        assert key == read_master_key(text)
        assert key == read_master_key(text.rstrip("="))
        assert key == read_master_key(f" {text}\n")


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 43 + "é", base64.b64encode(bytes(range(31))).decode(), "A" * 44 + "=="]
)
def test_what_is_no_master_key_is_refused(text: str) -> None:
    """With the command that makes one."""
    with pytest.raises(ValueError, match="openssl rand -base64 32"):
        read_master_key(text)


def test_a_new_master_key_can_be_read() -> None:
    """What is made is what is taken."""
    assert len(read_master_key(new_master_key())) == 32
