"""The admin door as one application."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request

from ccrouter.admin.account_routes import account_routes
from ccrouter.admin.audit_routes import audit_routes
from ccrouter.admin.capture_routes import capture_routes
from ccrouter.admin.configuration_routes import configuration_routes
from ccrouter.admin.credential_routes import credential_routes
from ccrouter.admin.docs import docs_routes
from ccrouter.admin.first_admin_routes import first_admin_routes
from ccrouter.admin.github_routes import github_routes
from ccrouter.admin.hull import Hull
from ccrouter.admin.job_routes import job_routes
from ccrouter.admin.key_batch_routes import key_batch_routes
from ccrouter.admin.key_routes import key_routes
from ccrouter.admin.log_routes import log_routes
from ccrouter.admin.needs import Needs
from ccrouter.admin.parameters import refuse_unknown_parameters
from ccrouter.admin.permissions import ANYONE, PERMISSIONS
from ccrouter.admin.platform_routes import platform_routes
from ccrouter.admin.platform_sign_in_routes import platform_sign_in_routes
from ccrouter.admin.pool_routes import pool_routes
from ccrouter.admin.price_routes import price_routes
from ccrouter.admin.problem_codes import CODES, listed
from ccrouter.admin.problems import MEDIA_TYPE, ProblemDocument, install
from ccrouter.admin.session_routes import session_routes
from ccrouter.admin.set_up_routes import set_up_routes
from ccrouter.admin.settings_routes import settings_routes
from ccrouter.admin.sign_in import SignIn
from ccrouter.admin.stat_routes import stat_routes
from ccrouter.admin.user_routes import user_routes
from ccrouter.admin.webhook_routes import webhook_routes
from ccrouter.admin.words import complete

_DESCRIPTION = """Manages keys, credentials and logs of a Claude Code Router.

Sign in with `POST /api/v1/auth/login`; send the token as `Authorization: Bearer …`. Lists are newest first; give
`next_cursor` as `cursor` for the next part. Errors are problem documents (RFC 9457). Money is a decimal string in
USD, times are RFC 3339 in UTC.

The `code` of a problem is one of:

""" + listed(CODES)


def create_admin_app(needs: Needs, *further: APIRouter) -> FastAPI:
    """The application for everything under `/api`; `further` are routes of another door that it serves too."""
    sign_in = SignIn(needs)

    def authorize(request: Request) -> None:
        sign_in.authorize(request)

    app = FastAPI(
        title="Claude Code Router",
        version=needs.version,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    install(app)
    problem = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}, "description": "An error"}
    api = APIRouter(
        prefix="/api/v1",
        dependencies=[Depends(authorize), Depends(refuse_unknown_parameters)],
        responses={"default": problem},
    )
    for routes in (
        account_routes(needs, sign_in),
        first_admin_routes(needs, sign_in),
        github_routes(needs, sign_in),
        key_batch_routes(needs),
        user_routes(needs, sign_in),
        key_routes(needs),
        platform_sign_in_routes(needs),
        credential_routes(needs),
        pool_routes(needs),
        set_up_routes(needs),
        platform_routes(),
        log_routes(needs),
        session_routes(needs),
        capture_routes(needs),
        configuration_routes(needs),
        audit_routes(needs),
        job_routes(needs),
        settings_routes(needs),
        price_routes(needs),
        stat_routes(needs),
        webhook_routes(needs),
    ):
        api.include_router(routes)
    app.include_router(api)
    for routes in further:
        # Without the check of parameters: GitHub may send more of them than are asked for (RFC 6749 §4.1.2).
        app.include_router(routes, prefix="/api/v1", dependencies=[Depends(authorize)], responses={"default": problem})
    app.include_router(docs_routes())

    @app.get("/api/openapi.json", include_in_schema=False)
    def openapi_document() -> dict[str, Any]:
        return describe(app)

    app.add_middleware(Hull)
    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with what FastAPI cannot know: how callers sign in, and which operations need it."""
    document = app.openapi()
    document.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "access_token of POST /api/v1/auth/login"}
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["security"] = [] if PERMISSIONS[operation["operationId"]] == ANYONE else [{"token": []}]
    complete(document)
    return document
