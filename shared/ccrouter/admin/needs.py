"""What the admin door needs from the services."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from ccrouter.config import Settings
from ccrouter.credentials.vault import Vault
from ccrouter.ports import Directory, Outside, ResultFiles
from ccrouter.routing.pool import Conditions
from ccrouter.webhooks import Outcome

if TYPE_CHECKING:
    from redis import Redis
    from sqlalchemy import Engine

    from ccrouter.metering.record import CallRecord
    from ccrouter.tokens.quotas import Quotas


class Needs(Protocol):
    """The part of `ccrouter.services.Services` that this door uses."""

    version: str

    @property
    def settings(self) -> Settings:
        """The settings."""

    @property
    def engine(self) -> "Engine":
        """The database."""

    @property
    def vault(self) -> Vault:
        """Seals and opens secrets."""

    @property
    def redis_sync(self) -> "Redis":
        """Redis, for threads."""

    @property
    def directory(self) -> Directory:
        """Prices in force."""

    @property
    def outside(self) -> Outside:
        """What a test request needs."""

    @property
    def result_files(self) -> ResultFiles:
        """The files that jobs make."""

    @property
    def quotas(self) -> "Quotas":
        """How much of an account's plan is used."""

    def under_way(self) -> "list[CallRecord]":
        """The requests that run now."""

    def conditions(self) -> Conditions:
        """How the credentials fare."""

    def begin_anew(self, credential_id: str) -> None:
        """Forgets how a credential fared."""

    async def send_events(self, events: Sequence[tuple[str, str, UUID, str]]) -> list[Outcome]:
        """Sends events (address, secret, id, body) to webhooks."""

    def forget_spend(self) -> None:
        """Lets limits of spend hold by the log anew."""

    def forget_key(self, digest: str) -> None:
        """Drops the shared copy of a key that has changed."""

    def hurry(self, chore: str) -> None:
        """Has a chore done now, where it is done in this process."""
