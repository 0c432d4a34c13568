"""The API's description for people: Swagger UI from files of our own, no script from elsewhere, none inline."""

import importlib.util
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

_ASSETS = {"swagger-ui-bundle.min.js": "text/javascript", "swagger-ui.min.css": "text/css"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Claude Code Router: API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.min.css">
</head>
<body>
<div id="api"></div>
<script src="/api/docs/swagger-ui-bundle.min.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });
"""


def docs_routes() -> APIRouter:
    """The routes under `/api/docs`, which are not part of the API's own description."""
    routes = APIRouter(prefix="/api/docs", include_in_schema=False)

    @routes.get("")
    def page() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

    @routes.get("/start.js")
    def start() -> Response:
        return Response(_START, media_type="text/javascript")

    for name, media_type in _ASSETS.items():

        @routes.get(f"/{name}")
        def asset(name: str = name, media_type: str = media_type) -> FileResponse:
            return FileResponse(_directory() / name, media_type=media_type)

    return routes


@cache
def _directory() -> Path:
    # Found without being imported: the package would bring the AWS SDK with it.
    spec = importlib.util.find_spec("aws_lambda_powertools")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package aws-lambda-powertools, which brings Swagger UI, is not installed")
    return Path(spec.origin).parent / "event_handler" / "openapi" / "swagger_ui"
