"""The story of a sign-in to a platform: begun by an administrator, confirmed in a browser, kept as a credential."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from fastapi.concurrency import run_in_threadpool

from ccrouter.admin.editing import not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import invalid
from ccrouter.admin.settings_routes import public_url
from ccrouter.admin.sign_in_schemas import PlatformSignInInput
from ccrouter.clock import epoch_s, utc_now
from ccrouter.credentials.kinds import AuthError, check_auth, check_options
from ccrouter.errors import SignInFailed
from ccrouter.ids import uuid7
from ccrouter.platforms.google_code import authorize_url, code_request, read_code
from ccrouter.platforms.kiro_account import BUILDER_ID_START, DEFAULT_REGION
from ccrouter.storage import audit, credentials, sign_ins, site_settings, users
from ccrouter.storage.credentials import FROM_ENVIRONMENT
from ccrouter.storage.sign_ins import StoredSignIn
from ccrouter.tokens.calls import ServiceCalls
from ccrouter.tokens.device import DeviceSignIn, KiroDeviceFlow

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CODE_LASTS = timedelta(minutes=10)
CALLBACK = "/api/v1/credentials/sign-in/callback"
_OF_KIRO, _OF_GOOGLE = ("region", "start_url"), ("client_id", "client_secret", "redirect_uri")


class _EndedElsewhere(Exception):
    """Another process has kept the tokens; this one's are dropped with its transaction."""


class PlatformSignIns:
    """Begins sign-ins, asks what became of them and keeps what came of it."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._devices: KiroDeviceFlow | None = None

    async def begin(self, body: PlatformSignInInput, user_id: str, client_ip: str | None) -> StoredSignIn:
        """Raises Problem 422 for what cannot work; what the service refuses is a sign-in that has failed."""
        wanted = await run_in_threadpool(self._wanted, body)
        wanted |= {"user_id": user_id, "client_ip": client_ip}
        sign_in_id = uuid7()
        if body.platform == "kiro":
            await self._begin_device(sign_in_id, body, wanted)
        else:
            await run_in_threadpool(self._begin_code, sign_in_id, body, wanted)
        return await run_in_threadpool(self._found, str(sign_in_id))

    async def look(self, sign_in_id: str) -> StoredSignIn:
        """How far it is, after asking the service where it may be asked. Raises Problem 404."""
        found = await run_in_threadpool(self._found, sign_in_id)
        if found.state != "pending" or found.platform != "kiro":
            return found
        needs, now = self._needs, utc_now()
        secret = await run_in_threadpool(sign_ins.take_turn, needs.engine, needs.vault, sign_in_id, now)
        if secret is None:
            return found
        device = msgspec.convert(secret["device"], DeviceSignIn)
        try:
            auth = await self._device_flow.ask(device)
        except SignInFailed as failure:
            if failure.needs_login:
                await run_in_threadpool(sign_ins.fail, needs.engine, sign_in_id, failure.message)
                return await run_in_threadpool(self._found, sign_in_id)
            auth = None
            device.next_ask_s = epoch_s() + device.interval_s
        if auth is None:
            secret["device"] = msgspec.to_builtins(device)
            at = datetime.fromtimestamp(device.next_ask_s, UTC)
            await run_in_threadpool(sign_ins.ask_later, needs.engine, needs.vault, sign_in_id, secret, at)
            return found
        return await run_in_threadpool(self._keep, found, secret["wanted"], auth)

    async def take(self, state: str, code: str | None, refusal: str | None, only: str | None = None) -> StoredSignIn:
        """What the browser came back with; it can come once. Raises Problem 404 for a state that is not open.

        `only` is the sign-in that it must belong to.
        """
        needs = self._needs
        taken = await run_in_threadpool(sign_ins.take_code, needs.engine, needs.vault, state, utc_now(), only)
        if taken is None:
            raise not_found("open sign-in")
        sign_in_id, secret = taken
        found = await run_in_threadpool(self._found, sign_in_id)
        if code is None:
            said = f"Google said: {refusal}." if refusal else "The browser came back without a code."
            await run_in_threadpool(sign_ins.fail, needs.engine, sign_in_id, said)
            return await run_in_threadpool(self._found, sign_in_id)
        wanted = secret["wanted"]
        client = {name: wanted["client"][name] for name in ("client_id", "client_secret")}
        request = code_request(
            **client,
            redirect_uri=wanted["redirect_uri"],
            code=code,
            verifier=secret["verifier"],
            token_url=wanted["options"].get("token_url"),
        )
        try:
            status, _, body = await ServiceCalls(needs.outside.upstream).ask(request)
            tokens = read_code(status, body, utc_now())
        except SignInFailed as failure:
            await run_in_threadpool(sign_ins.fail, needs.engine, sign_in_id, failure.message)
            return await run_in_threadpool(self._found, sign_in_id)
        return await run_in_threadpool(self._keep, found, wanted, client | tokens)

    @property
    def _device_flow(self) -> KiroDeviceFlow:
        if self._devices is None:
            # The clock is one that all processes have.
            self._devices = KiroDeviceFlow(ServiceCalls(self._needs.outside.upstream), clock=epoch_s)
        return self._devices

    async def _begin_device(self, sign_in_id: UUID, body: PlatformSignInInput, wanted: dict[str, Any]) -> None:
        needs = self._needs
        try:
            device = await self._device_flow.begin(
                body.region or DEFAULT_REGION,
                body.start_url or BUILDER_ID_START,
                base_url=wanted["options"].get("token_url"),
            )
        except SignInFailed as failure:
            await run_in_threadpool(
                sign_ins.begin_failed, needs.engine, sign_in_id, body.platform, failure.message, utc_now()
            )
            return
        await run_in_threadpool(
            sign_ins.begin,
            needs.engine,
            needs.vault,
            sign_in_id,
            body.platform,
            {"wanted": wanted, "device": msgspec.to_builtins(device)},
            url=device.code.url,
            user_code=device.code.user_code,
            expires_at=datetime.fromtimestamp(device.ends_s, UTC),
            ask_at=datetime.fromtimestamp(device.next_ask_s, UTC),
        )

    def _begin_code(self, sign_in_id: UUID, body: PlatformSignInInput, wanted: dict[str, Any]) -> None:
        needs = self._needs
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        own = public_url(needs.settings, site_settings.read(needs.engine).values["public_url"]) + CALLBACK
        wanted["redirect_uri"] = body.redirect_uri or own
        sign_ins.begin(
            needs.engine,
            needs.vault,
            sign_in_id,
            body.platform,
            {"wanted": wanted, "verifier": verifier},
            url=authorize_url(wanted["client"]["client_id"], wanted["redirect_uri"], state, verifier),
            user_code=None,
            expires_at=utc_now() + _CODE_LASTS,
            state=state,
        )

    def _found(self, sign_in_id: str) -> StoredSignIn:
        found = sign_ins.get(self._needs.engine, sign_in_id, utc_now())
        if found is None:
            raise not_found("sign-in")
        return found

    def _wanted(self, body: PlatformSignInInput) -> dict[str, Any]:
        """What shall come of it, checked. Raises Problem 422."""
        for name in _OF_GOOGLE if body.platform == "kiro" else _OF_KIRO:
            if getattr(body, name) is not None:
                raise invalid(name, f"is not for {body.platform}")
        client: dict[str, Any] = {"client_id": body.client_id, "client_secret": body.client_secret}
        if body.credential_id is None:
            if body.name is None:
                raise invalid("name", "is needed for a new credential")
            try:
                options = check_options(body.platform, body.options or {})
            except AuthError as error:
                raise invalid(error.field, error.message) from None
        else:
            if body.options is not None or body.name is not None:
                given = "options" if body.options is not None else "name"
                raise invalid(given, "the credential has its own; change it there")
            found = credentials.open_one(self._needs.engine, self._needs.vault, body.credential_id)
            stored = credentials.get(self._needs.engine, body.credential_id)
            if found is None or stored is None or found.platform != body.platform or stored.origin == FROM_ENVIRONMENT:
                raise invalid("credential_id", f"there is no such credential of {body.platform}")
            options = found.options
            for name in client:
                client[name] = client[name] or found.auth.get(name)
        if body.platform == "antigravity":
            if not options.get("acknowledged"):
                raise invalid("options.acknowledged", "must be true: you must hold the right to use this account here")
            for name in client:
                if client[name] is None:
                    raise invalid(name, "is needed: the operator's own OAuth client")
        return {"name": body.name, "credential_id": body.credential_id, "options": options, "client": client}

    def _keep(self, found: StoredSignIn, wanted: dict[str, Any], auth: dict[str, Any]) -> StoredSignIn:
        """Makes the credential, or gives one its new tokens, and ends the sign-in with it."""
        needs = self._needs
        try:
            with needs.engine.begin() as connection:
                credential_id = self._credential(connection, found.platform, wanted, auth)
                if not sign_ins.finish(connection, found.id, credential_id):
                    raise _EndedElsewhere
        except (AuthError, LookupError) as error:
            sign_ins.fail(needs.engine, found.id, f"The tokens cannot be kept: {error}")
        except _EndedElsewhere:
            return self._found(found.id)
        else:
            needs.begin_anew(credential_id)
        return self._found(found.id)

    def _credential(self, connection: "Connection", platform: str, wanted: dict[str, Any], auth: dict[str, Any]) -> str:
        if platform == "antigravity":
            # The access token is not what an operator gives, so that the check does not know it.
            tokens = {name: auth.pop(name) for name in ("access_token", "expires_at")}
            auth = check_auth(platform, auth) | tokens
        else:
            auth = check_auth(platform, auth)
        vault = self._needs.vault
        credential_id: str | None = wanted["credential_id"]
        if credential_id is None:
            fields = {"name": wanted["name"], "options": wanted["options"]}
            credential_id = credentials.create(connection, vault, platform, auth, fields).id
            action, after = "credential.create", {"platform": platform, **fields}
        else:
            if not credentials.change(connection, vault, credential_id, {}, auth=auth):
                raise LookupError("the credential has been deleted meanwhile.")
            action, after = "credential.sign-in", {"auth": {}}
        audit.note(
            connection,
            actor=users.by_id(connection, wanted["user_id"]) or "sign-in",
            action=action,
            kind="credential",
            object_id=credential_id,
            after=after,
            client_ip=wanted["client_ip"],
        )
        return credential_id
