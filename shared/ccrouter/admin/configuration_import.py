"""Takes a configuration over: finds what each of its objects is here, and makes or changes what differs.

Strategy: all of it happens in the caller's transaction, object by object: a dry run is the same work, taken back. Users
come first, then credentials, then what speaks of both. Nothing is deleted.
"""

from typing import Any, Literal

import msgspec
from fastapi import Request
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ccrouter.access.keys import new_secret
from ccrouter.admin.audit_routes import note
from ccrouter.admin.checks import stored_limits
from ccrouter.admin.configuration_export import USER_MEMBERS, with_credentials
from ccrouter.admin.configuration_matching import (
    credential_name,
    difference,
    key_name,
    login_of,
    named,
    take_all,
    webhook_name,
)
from ccrouter.admin.configuration_schemas import (
    ConfigurationChange,
    ConfigurationDocument,
    CredentialItem,
    KeyItem,
    UserItem,
    WebhookItem,
)
from ccrouter.admin.credential_fields import checked_options, credential_fields
from ccrouter.admin.key_fields import key_fields
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.price_routes import checked_row
from ccrouter.admin.problems import invalid
from ccrouter.admin.settings_routes import checked_settings
from ccrouter.admin.webhook_routes import MOST_WEBHOOKS, checked_url
from ccrouter.platforms.registry import PLATFORMS
from ccrouter.storage import configuration, credentials, keys, prices, sessions, site_settings, users, webhooks
from ccrouter.storage.credentials import FROM_ENVIRONMENT, StoredCredential
from ccrouter.storage.webhooks import Webhook
from ccrouter.webhooks import new_secret as new_signing_secret

Kind = Literal["user", "credential", "key", "webhook", "settings", "prices"]

_GIVE_IT_ONE = "It needs a secret: give it one, and enable it."
_TELL_IT = "Tell its receiver the secret."
_ROTATE_IT = "Nobody knows its secret: rotate it to get one."


class Import:
    """One import in one transaction. `changes` tells what was done, `digests` and `restarted` whom to tell of it."""

    def __init__(self, needs: Needs, connection: Connection, request: Request) -> None:
        self.changes: list[ConfigurationChange] = []
        self.unchanged = 0
        self.digests: set[str] = set()
        """Keys that other processes must forget."""
        self.restarted: list[str] = []
        """Credentials of which nothing that befell them holds any more."""
        self._needs = needs
        self._connection = connection
        self._request = request
        self._owners: dict[str, str] = {}
        self._credential_ids: dict[str, str] = {}

    def take_over(self, document: ConfigurationDocument) -> None:
        """Does everything that the document says. Raises Problem naming the member at fault."""
        connection = self._connection
        take_all("users", document.users, configuration.users(connection), login_of, self._take_user)
        self._owners = {user.login.lower(): user.id for user in configuration.users(connection)}
        here = configuration.credentials(connection)
        take_all("credentials", document.credentials, here, credential_name, self._take_credential)
        take_all("keys", document.keys, configuration.keys(connection), key_name, self._take_key)
        take_all("webhooks", document.webhooks, webhooks.every(connection), webhook_name, self._take_webhook)
        if document.settings is not None:
            with named("configuration.settings"):
                self._take_settings(document)
        if document.own_prices is not None:
            self._take_prices(document)

    def _take_user(self, item: UserItem, found: users.User | None) -> None:
        fields = {name: value for name, value in item.model_dump(exclude_unset=True).items() if name in USER_MEMBERS}
        if "limits" in fields:
            fields["limits"] = stored_limits(fields["limits"])
        if item.github is not None:
            fields |= {"github_id": item.github.id, "github_login": item.github.login}
        elif "github" in item.model_fields_set:
            fields |= {"github_id": None, "github_login": None}
        try:
            with self._connection.begin_nested():
                if found is None:
                    made = users.create(self._connection, **fields)
                    self._note("user", "create", made.id, item.login, None, fields)
                    return
                before, after = difference(found, fields)
                if not after:
                    self.unchanged += 1
                    return
                self._change_user(found, after)
        except IntegrityError as error:
            member = "github" if "github_id" in str(error.orig) else "login"
            raise invalid(member, "is taken, perhaps by a deleted user", code="taken") from None
        self._note("user", "change", found.id, item.login, before, after)

    def _change_user(self, found: users.User, changes: dict[str, Any]) -> None:
        leaves = changes.get("role", found.role) != ADMIN or changes.get("status", found.status) != "active"
        if leaves and users.is_last_admin(self._connection, found.id):
            member = "role" if changes.get("role", found.role) != ADMIN else "status"
            raise invalid(member, "this is the last active administrator", code="last_administrator")
        changed = users.change(self._connection, found.id, changes)
        if changed is not None and not changed.may_sign_in:
            sessions.revoke_all(self._connection, found.id)
        self.digests.update(users.keys_of(self._connection, found.id))

    def _take_credential(self, item: CredentialItem, found: StoredCredential | None) -> None:
        if FROM_ENVIRONMENT in (item.origin, None if found is None else found.origin):
            self._take_following(item)
            return
        if item.platform not in PLATFORMS:
            raise invalid("platform", f"must be one of {', '.join(sorted(PLATFORMS))}")
        if found is not None and found.platform != item.platform:
            raise invalid("platform", f"the credential with this id is one of {found.platform}")
        given = {name: value for name, value in item.model_dump(exclude_unset=True).items() if name != "origin"}
        fields = credential_fields(self._needs.settings, item.platform, given)
        if found is None:
            fields |= {"enabled": False, "options": checked_options(item.platform, item.options)}
            made = credentials.create(self._connection, self._needs.vault, item.platform, {}, fields)
            self._stands_for(item, made.id)
            shown = fields | {"platform": item.platform}
            self._note("credential", "create", made.id, item.name, None, shown, _GIVE_IT_ONE)
            return
        self._stands_for(item, found.id)
        waits = self._has_no_secret(found)
        if waits:
            fields.pop("enabled", None)
        before, after = difference(found, fields)
        if not after:
            self.unchanged += 1
            return
        anew = not after.keys().isdisjoint(("base_url", "options"))
        credentials.change(self._connection, self._needs.vault, found.id, after, lifts_block=anew)
        if anew:
            self.restarted.append(found.id)
        self._note("credential", "change", found.id, item.name, before, after, _GIVE_IT_ONE if waits else None)

    def _take_following(self, item: CredentialItem) -> None:
        """The credential of the environment: only what leads to it is told where it is here."""
        here = [each for each in configuration.credentials(self._connection) if each.origin == FROM_ENVIRONMENT]
        if here:
            self._stands_for(item, here[0].id)
        self.unchanged += 1

    def _has_no_secret(self, found: StoredCredential) -> bool:
        """Whether it came by an import and waits for its secret, or for somebody who says that it needs none."""
        opened = credentials.open_one(self._connection, self._needs.vault, found.id)
        return opened is not None and not opened.auth and not found.enabled

    def _stands_for(self, item: CredentialItem, credential_id: str) -> None:
        if item.id is not None:
            self._credential_ids[item.id] = credential_id

    def _take_key(self, item: KeyItem, found: keys.StoredKey | None) -> None:
        owner_id = self._owners.get(item.owner.lower())
        if owner_id is None:
            raise invalid("owner", "there is no such user, here or in the document")
        if item.mapping:
            item = item.model_copy(update={"mapping": with_credentials(item.mapping, self._credential_ids)})
        fields = key_fields(self._needs, item, within=self._connection)
        if found is None:
            made = keys.create(self._connection, owner_id, new_secret(), fields)
            self._note("key", "create", made.id, item.name, None, fields | {"owner": item.owner}, _ROTATE_IT)
            return
        if found.owner_id != owner_id:
            raise invalid("owner", f"the key with this id belongs to {found.owner_login}")
        before, after = difference(found, fields)
        if not after:
            self.unchanged += 1
            return
        keys.change(self._connection, found.id, after)
        self.digests.update(found.digests)
        self._note("key", "change", found.id, item.name, before, after)

    def _take_webhook(self, item: WebhookItem, found: Webhook | None) -> None:
        fields = {name: value for name, value in item.model_dump(exclude_unset=True).items() if name != "id"}
        fields |= {"url": checked_url(self._needs.settings, item.url)}
        if "events" in fields or found is None:
            fields["events"] = list(dict.fromkeys(item.events))
        if found is None:
            if webhooks.count(self._connection) >= MOST_WEBHOOKS:
                raise invalid("name", f"there are {MOST_WEBHOOKS} webhooks already", code="too_many")
            secret = new_signing_secret()
            made = webhooks.create(
                self._connection, self._needs.vault, secret, name=item.name, url=fields["url"], events=fields["events"]
            )
            if not item.enabled:
                webhooks.change(self._connection, made.id, {"enabled": False})
            self._note("webhook", "create", made.id, item.name, None, fields, _TELL_IT, secret)
            return
        before, after = difference(found, fields)
        if not after:
            self.unchanged += 1
            return
        webhooks.change(self._connection, found.id, after)
        self._note("webhook", "change", found.id, item.name, before, after)

    def _take_settings(self, document: ConfigurationDocument) -> None:
        assert document.settings is not None  # noqa: S101 - the caller has looked
        given = with_credentials(document.settings.model_dump(exclude_unset=True), self._credential_ids)
        if self._needs.settings.frontend_url is not None:
            given.pop("public_url", None)
        body = type(document.settings).model_validate_json(msgspec.json.encode(given))
        wanted = checked_settings(self._needs, body, within=self._connection)
        now = site_settings.read(self._connection).values
        defaults = site_settings.defaults()
        after = {
            name: value for name, value in wanted.items() if now[name] != (defaults[name] if value is None else value)
        }
        if not after:
            self.unchanged += 1
            return
        site_settings.change(self._connection, after)
        before = {name: now[name] for name in after}
        self._note("settings", "change", None, ", ".join(after), before, after)

    def _take_prices(self, document: ConfigurationDocument) -> None:
        own = tuple(
            checked_row(item.row(), f"configuration.own_prices[{index}]")
            for index, item in enumerate(document.own_prices or ())
        )
        now = prices.load_current(self._connection).own
        if now == own:
            self.unchanged += 1
            return
        actor = self._request.state.user.login
        prices.put_own(self._connection, own, actor, "Imported with a configuration")
        before, after = ({"own": msgspec.to_builtins(rows, str_keys=True)} for rows in (now, own))
        self._note("prices", "change", None, "own prices", before, after)

    def _note(
        self,
        kind: Kind,
        action: Literal["create", "change"],
        object_id: str | None,
        name: str,
        before: dict[str, Any] | None,
        after: dict[str, Any],
        remark: str | None = None,
        secret: str | None = None,
    ) -> None:
        was, became = msgspec.to_builtins(before), msgspec.to_builtins(after)
        note(self._connection, self._request, f"{kind}.{action}", object_id, before=was, after=became)
        self.changes.append(
            ConfigurationChange(
                kind=kind, action=action, id=object_id, name=name, before=was, after=became, secret=secret, note=remark
            )
        )
