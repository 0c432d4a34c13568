"""Routing over the admin API: how a credential fares, letting it begin anew, and where a model's name leads."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from ccrouter.admin.audit_routes import note
from ccrouter.admin.checks import check_mapping
from ccrouter.admin.credential_states import state_of
from ccrouter.admin.editing import not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.pool_schemas import (
    FailedAttempt,
    HalfHour,
    HealthView,
    QuotaView,
    ResolvedView,
    ResolveInput,
    TargetView,
)
from ccrouter.admin.problems import invalid
from ccrouter.admin.schemas import CredentialState
from ccrouter.clock import utc_now
from ccrouter.credentials.vault import VaultError
from ccrouter.platforms.registry import UNMAPPED_PLATFORM
from ccrouter.routing.mapping import Mapping, Target, read_mapping, resolve
from ccrouter.storage import credentials, health, keys, settings
from ccrouter.storage.credentials import StoredCredential


def pool_routes(needs: Needs) -> APIRouter:
    """The routes `/credentials/{id}/reset`, `/credentials/{id}/health` and `/mappings/resolve`."""
    routes = APIRouter()

    @routes.post("/credentials/{credential_id}/reset", operation_id="resetCredential", tags=["credentials"])
    def reset_credential(credential_id: str, request: Request) -> CredentialState:
        """Lift a block and end every cool-down; requests use the credential again within 5 seconds."""
        found = _existing(credential_id)
        with needs.engine.begin() as connection:
            credentials.unblock(connection, credential_id)
            before = {"blocked_reason": found.blocked_reason, "blocked_until": found.blocked_until}
            note(connection, request, "credential.reset", credential_id, before=before)
        needs.begin_anew(credential_id)
        return state_of(_existing(credential_id), {}, utc_now())

    @routes.get("/credentials/{credential_id}/health", operation_id="getCredentialHealth", tags=["credentials"])
    async def get_health(credential_id: str) -> HealthView:
        """How a credential fared in the last day: half hours, its last errors, and what is left of its plan."""
        found = await run_in_threadpool(_health, credential_id)
        return found.model_copy(update={"quota": await _quota(credential_id)})

    async def _quota(credential_id: str) -> QuotaView | None:
        try:
            opened = await run_in_threadpool(credentials.open_one, needs.engine, needs.vault, credential_id)
        except VaultError as error:
            return QuotaView(read_at=utc_now(), plan=None, windows=[], error=str(error))
        quota = None if opened is None else await needs.quotas.of(opened)
        return None if quota is None else QuotaView.model_validate(quota, from_attributes=True)

    def _health(credential_id: str) -> HealthView:
        found, now = _existing(credential_id), utc_now()
        return HealthView(
            state=state_of(found, needs.conditions().get(credential_id, {}), now),
            half_hours=[
                HalfHour(at=at, attempts=attempts, failed=failed)
                for at, attempts, failed in health.half_hours(needs.engine, credential_id, now)
            ],
            last_errors=[
                FailedAttempt(
                    log_id=row["id"],
                    at=row["at"],
                    model=row["model"],
                    outcome=row["outcome"],
                    status=row["status"],
                    reason=row["reason"],
                )
                for row in health.last_errors(needs.engine, credential_id, now)
            ],
        )

    @routes.post("/mappings/resolve", operation_id="resolveModel", tags=["keys"])
    def resolve_model(body: ResolveInput) -> ResolvedView:
        """Where a model's name leads, without asking any platform."""
        found = resolve(
            body.model, _mapping_of(body), read_mapping(settings.get(needs.engine, settings.DEFAULT_MAPPING))
        )
        targets = (Target(UNMAPPED_PLATFORM, body.model),) if found.targets is None else found.targets
        return ResolvedView(
            rule=found.rule,
            slot=found.slot,
            targets=[
                TargetView(
                    platform=target.platform,
                    model=target.model,
                    credential_id=target.credential_id,
                    effort=target.effort,
                )
                for target in targets
            ],
        )

    def _mapping_of(body: ResolveInput) -> Mapping:
        if body.key_id is not None and body.mapping is not None:
            raise invalid("mapping", "give either a key or a mapping")
        if body.key_id is None:
            check_mapping(needs, body.mapping or {})
            return read_mapping(body.mapping)
        key = keys.get(needs.engine, body.key_id)
        if key is None or key.deleted_at is not None:
            raise invalid("key_id", "there is no such key")
        return read_mapping(key.mapping)

    def _existing(credential_id: str) -> StoredCredential:
        found = credentials.get(needs.engine, credential_id)
        if found is None or found.deleted_at is not None:
            raise not_found("credential")
        return found

    return routes
