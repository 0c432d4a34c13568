"""The Gemini API: Google's models by API key (gemini.md §1)."""

from typing import Any
from urllib.parse import quote

import msgspec

from ccrouter.credentials.kinds import Credential, GeminiOptions
from ccrouter.dialects.gemini.manner import Manner
from ccrouter.platforms.contract import Aim, Ask, CannedAnswer, Exchange, Found, Needs
from ccrouter.platforms.generate_content import Place, gemini_model, gemini_needs, open_generate

BASE_URL = "https://generativelanguage.googleapis.com"
_MANNER = Manner("gemini")


class Gemini:
    """See `platforms.contract.Platform`."""

    name = "gemini"

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """See `Platform.needs`."""
        return gemini_needs(ask, gemini_model(aim.model), _MANNER)

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`. The key stands in a header: a query lands in logs."""
        options = msgspec.convert(credential.options, GeminiOptions)
        model = gemini_model(aim.model)
        base = (credential.base_url or BASE_URL).rstrip("/")

        def count_body(body: dict[str, Any]) -> dict[str, Any]:
            # Bare `contents` would leave out tools and system.
            return {"generateContentRequest": {"model": f"models/{model}", **body}}

        place = Place(
            f"{base}/{options.api_version}/models/{quote(model, safe='@')}",
            (("x-goog-api-key", str(credential.auth["api_key"])),),
            count_body,
            credential.open_network,
        )
        return open_generate(ask, aim, place, _MANNER, options, found)
