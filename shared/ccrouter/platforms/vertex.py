"""Vertex AI: Gemini by Google sign-in or express key (gemini.md §1); Claude has a module of its own."""

from typing import Any
from urllib.parse import quote

import msgspec

from ccrouter.credentials.kinds import Credential, VertexOptions
from ccrouter.dialects.gemini.manner import Manner
from ccrouter.errors import InvalidRequest
from ccrouter.platforms.contract import Aim, Ask, CannedAnswer, Exchange, Found, Needs
from ccrouter.platforms.generate_content import Place, gemini_model, gemini_needs, open_generate

_MANNER = Manner("vertex", reads_gcs=True)
_MULTI_REGIONS = frozenset({"us", "eu"})


class Vertex:
    """See `platforms.contract.Platform`. The model's name decides the family."""

    name = "vertex"

    def needs(self, ask: Ask, aim: Aim) -> Needs:
        """See `Platform.needs`."""
        _refuse_claude(aim)
        return gemini_needs(ask, gemini_model(aim.model), _MANNER)

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`."""
        _refuse_claude(aim)
        options = msgspec.convert(credential.options, VertexOptions)
        return open_generate(ask, aim, _place(credential, options, gemini_model(aim.model)), _MANNER, options, found)


def _refuse_claude(aim: Aim) -> None:
    if "claude" in aim.model:
        raise InvalidRequest(f"model: Claude models are not served on the platform vertex here ({aim.model})")


def _place(credential: Credential, options: VertexOptions, model: str) -> Place:
    auth = credential.auth
    express = "api_key" in auth
    base = (credential.base_url or vertex_base(options.region, express=express)).rstrip("/")
    if express:
        within = ""
        headers = [("x-goog-api-key", str(auth["api_key"]))]
    else:
        project = vertex_project(credential, options)
        within = f"/projects/{quote(project, safe=':')}/locations/{options.region}"
        headers = [("authorization", f"Bearer {auth['access_token']}")]
    return Place(
        f"{base}/{options.api_version}{within}/publishers/google/models/{quote(model, safe='@')}",
        headers,
        _count_body,
        credential.open_network,
        renews="" if express else "token",
        region="global" if express else options.region,
    )


def vertex_base(region: str, *, express: bool = False) -> str:
    """The address of a location, without version."""
    if express or region == "global":
        return "https://aiplatform.googleapis.com"
    if region in _MULTI_REGIONS:
        return f"https://aiplatform.{region}.rep.googleapis.com"
    return f"https://{region}-aiplatform.googleapis.com"


def vertex_project(credential: Credential, options: VertexOptions) -> str:
    """The project that requests belong to: the option, the key's own, or what the sign-in found."""
    account = credential.auth.get("service_account")
    known = account.get("project_id") if isinstance(account, dict) else None
    project = options.project or known or credential.auth.get("project")
    if not project:
        raise InvalidRequest(
            "The platform vertex needs a project: an administrator must set options.project of its credential."
        )
    return str(project)


def _count_body(body: dict[str, Any]) -> dict[str, Any]:
    """Vertex counts the members of a generation as they are."""
    return body
