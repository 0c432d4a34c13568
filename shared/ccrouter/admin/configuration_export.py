"""Writes down the configuration of an installation, without any secret."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from ccrouter.admin.configuration_schemas import FORMAT, ConfigurationView
from ccrouter.admin.price_schemas import price_view
from ccrouter.clock import rfc3339, utc_now
from ccrouter.storage import configuration, prices, site_settings, webhooks

USER_MEMBERS = ("login", "name", "email", "role", "status", "limits", "language", "theme")
CREDENTIAL_MEMBERS = (
    *("platform", "name", "origin", "enabled", "base_url", "options", "priority", "weight", "max_concurrency"),
    "models",
)
KEY_MEMBERS = (
    *("name", "enabled", "expires_at", "tags", "mapping", "limits", "allowed_models", "allowed_clients"),
    *("allowed_ips", "capture", "note"),
)
WEBHOOK_MEMBERS = ("name", "url", "events", "enabled")


def exported(connection: Connection, version: str) -> ConfigurationView:
    """The document of everything that an import can bring back."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "made_at": rfc3339(utc_now()),
        "version": version,
        "users": [
            _members(user, USER_MEMBERS)
            | {"github": None if user.github_id is None else {"id": user.github_id, "login": user.github_login or ""}}
            for user in configuration.users(connection)
        ],
        "credentials": [
            _members(credential, CREDENTIAL_MEMBERS) for credential in configuration.credentials(connection)
        ],
        "keys": [
            _members(key, KEY_MEMBERS)
            | {"owner": key.owner_login, "expires_at": None if key.expires_at is None else rfc3339(key.expires_at)}
            for key in configuration.keys(connection)
        ],
        "webhooks": [_members(webhook, WEBHOOK_MEMBERS) for webhook in webhooks.every(connection)],
        "settings": site_settings.read(connection).values,
        "own_prices": [price_view(row).model_dump(mode="json") for row in prices.load_current(connection).own],
    }
    # By way of JSON, so that its items are checked as an import checks them.
    return ConfigurationView.model_validate_json(msgspec.json.encode(document))


def _members(thing: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {"id": thing.id, **{name: getattr(thing, name) for name in names}}


def with_credentials(value: Any, ids: Mapping[str, str]) -> Any:
    """The same mapping, its targets pinned to the credentials that stand for those of the document here."""
    if isinstance(value, dict):
        return {
            name: ids.get(item, item)
            if name == "credential_id" and isinstance(item, str)
            else with_credentials(item, ids)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [with_credentials(item, ids) for item in value]
    return value
