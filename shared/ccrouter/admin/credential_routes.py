"""Credentials: the operator's accounts on the platforms."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from ccrouter.admin.audit_routes import note
from ccrouter.admin.credential_fields import checked_auth, checked_options, credential_fields
from ccrouter.admin.credential_states import state_of
from ccrouter.admin.deletion import Deleted, purge, restore
from ccrouter.admin.editing import Cursor, IfMatch, Limit, bad_cursor, changed_meanwhile, check_version, etag, not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import Problem, invalid
from ccrouter.admin.schemas import (
    CredentialChanges,
    CredentialInput,
    CredentialState,
    CredentialView,
    ErrorView,
    Page,
    TestInput,
    TestView,
)
from ccrouter.clock import utc_now
from ccrouter.gateway import probe
from ccrouter.platforms.registry import PLATFORMS
from ccrouter.storage import credentials, tombstones
from ccrouter.storage.credentials import FROM_ENVIRONMENT, StoredCredential


def credential_routes(needs: Needs) -> APIRouter:
    """The routes under `/credentials`."""
    routes = APIRouter(prefix="/credentials", tags=["credentials"])

    @routes.get("", operation_id="listCredentials")
    def list_credentials(
        cursor: Cursor = None, limit: Limit = 50, platform: str | None = None, deleted: Deleted = False
    ) -> Page[CredentialView]:
        """All credentials, newest first, without their secrets."""
        try:
            page = credentials.find(needs.engine, cursor=cursor, limit=limit, platform=platform, deleted=deleted)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=_views(page.items), next_cursor=page.next_cursor)

    @routes.post("", operation_id="createCredential", status_code=201)
    def create_credential(body: CredentialInput, request: Request, response: Response) -> CredentialView:
        """Add a credential; requests use it within 5 seconds."""
        if body.platform not in PLATFORMS:
            raise invalid("platform", f"must be one of {', '.join(sorted(PLATFORMS))}")
        fields = credential_fields(needs.settings, body.platform, body.model_dump(exclude_unset=True))
        fields["options"] = checked_options(body.platform, body.options or {})
        auth = checked_auth(body.platform, body.auth)
        with needs.engine.begin() as connection:
            made = credentials.create(connection, needs.vault, body.platform, auth, fields)
            note(connection, request, "credential.create", made.id, after=_audited(made))
        response.headers["Location"] = f"/api/v1/credentials/{made.id}"
        response.headers["ETag"] = etag(made.updated_at)
        return _views([made])[0]

    @routes.get("/{credential_id}", operation_id="getCredential")
    def get_credential(credential_id: str, response: Response) -> CredentialView:
        """One credential."""
        found = credentials.get(needs.engine, credential_id)
        if found is None:
            raise not_found("credential")
        response.headers["ETag"] = etag(found.updated_at)
        return _views([found])[0]

    @routes.patch("/{credential_id}", operation_id="changeCredential")
    def change_credential(
        credential_id: str, body: CredentialChanges, request: Request, response: Response, if_match: IfMatch = None
    ) -> CredentialView:
        """Change a credential; another secret, address or option also lifts a block and ends its cool-downs."""
        found = _existing(credential_id)
        if found.origin == FROM_ENVIRONMENT and body.model_fields_set & {"auth", "base_url"}:
            raise invalid("auth", "follows CLAUDE_API_KEY and CLAUDE_BASE_URL; change it there")
        auth = None if body.auth is None else checked_auth(found.platform, body.auth)
        version = check_version(if_match, found.updated_at)
        fields = credential_fields(needs.settings, found.platform, body.model_dump(exclude_unset=True))
        if fields.get("enabled") and auth is None and credentials.lacks_secret(needs.engine, needs.vault, found):
            raise invalid("enabled", "it has no secret yet: give `auth` too", code="no_secret")
        # What it met, it met with another secret, at another address or in another way.
        begins_anew = auth is not None or any(
            name in fields and fields[name] != getattr(found, name) for name in ("base_url", "options")
        )
        with needs.engine.begin() as connection:
            if not credentials.change(
                connection,
                needs.vault,
                credential_id,
                fields,
                auth=auth,
                lifts_block=begins_anew,
                if_updated_at=version,
            ):
                raise changed_meanwhile()
            before, found = found, credentials.get(connection, credential_id) or found
            secret = {} if auth is None else {"auth": auth}
            note(
                connection,
                request,
                "credential.change",
                credential_id,
                before=_audited(before),
                after=_audited(found) | secret,
            )
        if begins_anew:
            needs.begin_anew(credential_id)
        response.headers["ETag"] = etag(found.updated_at)
        return _views([found])[0]

    @routes.delete("/{credential_id}", operation_id="deleteCredential", status_code=204)
    def delete_credential(credential_id: str, request: Request, if_match: IfMatch = None) -> None:
        """Delete a credential: no request uses it after 5 seconds. It can be restored for 30 days."""
        found = _existing(credential_id)
        if found.origin == FROM_ENVIRONMENT:
            raise invalid("id", "follows CLAUDE_API_KEY; unset it and start anew, or disable the credential")
        version = check_version(if_match, found.updated_at)
        with needs.engine.begin() as connection:
            if not credentials.soft_delete(connection, credential_id, if_updated_at=version):
                raise changed_meanwhile()
            note(connection, request, "credential.delete", credential_id, before=_audited(found))

    @routes.post("/{credential_id}/restore", operation_id="restoreCredential", summary="Restore a deleted credential")
    def restore_credential(credential_id: str, request: Request, response: Response) -> CredentialView:
        """Bring a deleted credential back as it was; requests use it within 5 seconds. 410 once it has been purged."""
        deleted = credentials.get(needs.engine, credential_id)
        if deleted is not None and deleted.deleted_at is not None and deleted.origin == FROM_ENVIRONMENT:
            raise Problem(409, "It follows CLAUDE_API_KEY and comes back with it.", code="follows_environment")
        restore(needs, request, tombstones.CREDENTIALS, credential_id)
        found = _existing(credential_id)
        response.headers["ETag"] = etag(found.updated_at)
        return _views([found])[0]

    @routes.post(
        "/{credential_id}/purge",
        operation_id="purgeCredential",
        summary="Purge a deleted credential",
        status_code=204,
    )
    def purge_credential(credential_id: str, request: Request) -> None:
        """End a deleted credential and its secret for good, as happens by itself 30 days after its deletion."""
        purge(needs, request, tombstones.CREDENTIALS, credential_id)

    @routes.post("/{credential_id}/test", operation_id="testCredential")
    async def test_credential(credential_id: str, request: Request, body: TestInput | None = None) -> TestView:
        """Send a real request for one token with this credential, in use or not; it is logged as kind `test`."""
        opened = await run_in_threadpool(credentials.open_one, needs.engine, needs.vault, credential_id)
        if opened is None:
            raise not_found("credential")
        user = request.state.user
        record = await probe(
            opened,
            (body or TestInput()).model,
            (await needs.directory.routing()).prices,
            needs.outside,
            user_id=user.id,
            user_login=user.login,
        )
        failed = record.status != "ok"
        return TestView(
            ok=not failed,
            http_status=record.http_status,
            duration_ms=record.duration_ms,
            error=ErrorView(type=record.error_type or "", message=record.error_message or "") if failed else None,
            log_id=str(record.id),
        )

    def _views(items: list[StoredCredential]) -> list[CredentialView]:
        conditions, now = needs.conditions(), utc_now()
        return [_view(item, state_of(item, conditions.get(item.id, {}), now)) for item in items]

    def _existing(credential_id: str) -> StoredCredential:
        found = credentials.get(needs.engine, credential_id)
        if found is None or found.deleted_at is not None:
            raise not_found("credential")
        return found

    return routes


def _view(item: StoredCredential, state: CredentialState) -> CredentialView:
    return CredentialView(
        id=item.id,
        platform=item.platform,
        name=item.name,
        enabled=item.enabled,
        base_url=item.base_url,
        options=item.options,
        priority=item.priority,
        weight=item.weight,
        max_concurrency=item.max_concurrency,
        models=item.models,
        origin=item.origin,
        state=state,
        created_at=item.created_at,
    )


def _audited(item: StoredCredential) -> dict[str, Any]:
    """What the audit log keeps of a credential."""
    return {name: getattr(item, name) for name in ("platform", *sorted(credentials.CHANGEABLE))}
