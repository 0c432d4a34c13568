"""What a sign-in with GitHub carries through the browser."""

import sys

import pytest

from ccrouter.access.tickets import ORGANISATIONS, Tickets, safe_path
from ccrouter.clock import epoch_s


@pytest.mark.parametrize("path", ["/", "/keys", "/keys?tag=a&b=c#d", "/a//b", "/%5Cevil", "/ünï"])
def test_paths_of_this_installation_are_kept(path: str) -> None:
    """With query and fragment."""
    assert safe_path(path) == path


def test_a_ticket_fits_into_a_cookie() -> None:
    """Whatever the person is called, and wherever he belongs: browsers keep 4,096 bytes with the name."""
    most = {"name": "\U0001f600" * 300, "avatar_url": "a" * 200, "email": f"{'m' * 242}@example.com"}
    text = Tickets("s" * 40).write_ticket(
        github_id=sys.maxsize,
        login="l" * 39,
        organisations=[f"organisation-{number}" for number in range(1000)],
        then="/" + "n" * 299,
        **most,
    )
    assert len(text) + len("__Host-ccr_github_ticket=") < 4096
    ticket = Tickets("s" * 40).read_ticket(text)
    assert ticket is not None
    assert (len(ticket.name or ""), ticket.email) == (100, most["email"])


def test_belonging_is_told_by_name_and_by_this_installation_only() -> None:
    """A ticket does not say where somebody belongs to those who read it."""
    signed = Tickets("s" * 40)
    names = [f"Org-{number}" for number in range(ORGANISATIONS)]
    text = signed.write_ticket(
        github_id=1, login="a", name=None, avatar_url=None, email=None, organisations=names, then="/"
    )
    ticket = signed.read_ticket(text)
    assert ticket is not None
    assert all(signed.is_in(ticket, name.lower()) for name in names)
    assert not signed.is_in(ticket, "org")
    assert not Tickets("t" * 40).is_in(ticket, "org-1")


def test_a_state_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes after it was made."""
    signed, now = Tickets("s" * 40), epoch_s()
    state = signed.write_state("nonce", "/keys")
    assert (signed.read_state(state, "nonce"), signed.read_state(state, "other")) == ("/keys", None)
    monkeypatch.setattr("ccrouter.access.tickets.epoch_s", lambda: now - 700)
    assert signed.read_state(signed.write_state("nonce", "/keys"), "nonce") is None


def test_a_verifier_is_of_one_nonce() -> None:
    """43 characters that are admitted (RFC 7636 §4.1), and others for another nonce or secret."""
    made = {Tickets(secret * 40).code_verifier(nonce) for secret in "st" for nonce in ("a", "b")}
    assert len(made) == 4
    assert all(len(verifier) == 43 for verifier in made)
