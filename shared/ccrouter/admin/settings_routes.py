"""The settings of the installation that an administrator changes while it runs."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from ccrouter.admin.audit_routes import note
from ccrouter.admin.checks import check_mapping, stored_limits
from ccrouter.admin.editing import IfMatch, changed_meanwhile, check_version, etag
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import invalid
from ccrouter.admin.settings_schemas import EnvironmentSetting, SettingsChanges, SettingsView
from ccrouter.config import Settings
from ccrouter.platforms.registry import is_platform
from ccrouter.storage import site_settings
from ccrouter.storage.site_settings import SiteSettings


def settings_routes(needs: Needs) -> APIRouter:
    """The route `/settings`."""
    routes = APIRouter(prefix="/settings", tags=["settings"])

    @routes.get("", operation_id="getSettings", summary="Read the settings")
    def get_settings(response: Response) -> SettingsView:
        """All settings; `environment` names those that variables of the process decide."""
        return _shown(site_settings.read(needs.engine), response)

    @routes.put("", operation_id="changeSettings", summary="Change settings")
    def change_settings(
        body: SettingsChanges, request: Request, response: Response, if_match: IfMatch = None
    ) -> SettingsView:
        """Set what the body names; in force everywhere within 5 seconds. Members left out stay as they are."""
        changes = checked_settings(needs, body)
        before = site_settings.read(needs.engine)
        version = check_version(if_match, before.updated_at)
        with needs.engine.begin() as connection:
            if not site_settings.change(connection, changes, if_updated_at=version):
                raise changed_meanwhile()
            after = site_settings.read(connection)
            note(
                connection,
                request,
                "settings.change",
                None,
                before={name: before.values[name] for name in changes},
                after={name: after.values[name] for name in changes},
            )
        return _shown(after, response)

    def _shown(found: SiteSettings, response: Response) -> SettingsView:
        response.headers["ETag"] = etag(found.updated_at)
        environment = [
            EnvironmentSetting(variable=variable, setting=setting)
            for variable, setting in _from_environment(needs.settings)
        ]
        values = found.values | {"public_url": public_url(needs.settings, found.values["public_url"])}
        return SettingsView(**values, environment=environment)

    return routes


def checked_settings(needs: Needs, body: SettingsChanges, *, within: Connection | None = None) -> dict[str, Any]:
    """The settings that a body sets. Raises Problem 422. `within` as for `check_mapping`."""
    changes = body.model_dump(exclude_unset=True)
    for name in changes:
        if isinstance(topic := getattr(body, name), BaseModel):
            # A topic is set whole: members of it that are left out have their defaults.
            changes[name] = topic.model_dump()
    for variable, setting in _from_environment(needs.settings):
        if setting in changes:
            raise invalid(setting, f"follows {variable}; change it there", code="set_by_environment")
    if changes.get("default_mapping") is not None:
        check_mapping(needs, changes["default_mapping"], "default_mapping", within=within)
    if (members := changes.get("members")) is not None:
        members["limits"] = stored_limits(members["limits"], "members.limits")
        if members["mapping"] is not None:
            check_mapping(needs, members["mapping"], "members.mapping", within=within)
        for index, platform in enumerate(members["allowed_platforms"] or ()):
            if not is_platform(platform):
                raise invalid(f"members.allowed_platforms[{index}]", f"there is no platform «{platform}»")
    if (alerts := changes.get("alerts")) is not None:
        alerts["thresholds"] = sorted(set(alerts["thresholds"]))
    return changes


def public_url(settings: Settings, stored: str | None) -> str:
    """The address people open: the environment's, else the one that was set, else this machine's."""
    return settings.public_url if settings.frontend_url is not None or stored is None else stored


def _from_environment(settings: Settings) -> list[tuple[str, str]]:
    """The variables that are set and win over what is set here, each with what it decides."""
    given = [
        ("FRONTEND_URL", "public_url", settings.frontend_url),
        ("ADMIN_PASSWORD", "admin_password", settings.admin_password),
        ("CLAUDE_API_KEY", "anthropic_credential", settings.claude_api_key),
    ]
    return [(variable, setting) for variable, setting, value in given if value is not None]
