"""Vertex AI: Gemini by Google sign-in or express key (gemini.md §1); Claude has a module of its own."""

from typing import Any
from urllib.parse import quote

import msgspec

from ccrouter.credentials.kinds import Credential, VertexOptions
from ccrouter.dialects.gemini.manner import Manner
from ccrouter.platforms.contract import Aim, Ask, CannedAnswer, Exchange, Found, Needs
from ccrouter.platforms.generate_content import Place, gemini_model, gemini_needs, open_generate
from ccrouter.platforms.vertex_claude import VertexClaude
from ccrouter.platforms.vertex_place import vertex_base, vertex_project

_MANNER = Manner("vertex", reads_gcs=True)


class Vertex:
    """See `platforms.contract.Platform`. The model's name decides the family."""

    name = "vertex"

    def __init__(self) -> None:
        self._claude = VertexClaude()

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """See `Platform.needs`."""
        if _is_claude(aim):
            return self._claude.needs(ask, aim, credential)
        return gemini_needs(ask, gemini_model(aim.model), _MANNER)

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`."""
        if _is_claude(aim):
            return self._claude.open(ask, aim, credential, found)
        options = msgspec.convert(credential.options, VertexOptions)
        return open_generate(ask, aim, _place(credential, options, gemini_model(aim.model)), _MANNER, options, found)


def _is_claude(aim: Aim) -> bool:
    return "claude" in aim.model


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
        if quota_project := auth.get("quota_project"):
            # A person's own sign-in bills the project that it names (gemini.md §1).
            headers.append(("x-goog-user-project", str(quota_project)))
    return Place(
        f"{base}/{options.api_version}{within}/publishers/google/models/{quote(model, safe='@')}",
        headers,
        _count_body,
        credential.open_network,
        renews=() if express else ("token",),
        # Its throttles name no wait (gemini.md §9).
        steps=(1.0, 30.0),
        region="global" if express else options.region,
    )


def _count_body(body: dict[str, Any]) -> dict[str, Any]:
    """Vertex counts the members of a generation as they are."""
    return body
