"""OpenAI's API and every address that speaks it, by Chat Completions or by Responses (openai-compatible.md)."""

import re

import msgspec

from ccrouter.credentials.kinds import Credential, OpenAiOptions
from ccrouter.dialects.openai.asked import Asked
from ccrouter.dialects.openai.media import urls_in
from ccrouter.dialects.openai.mending import Learned
from ccrouter.dialects.openai.models import needs_responses
from ccrouter.dialects.openai.names import ToolNames
from ccrouter.dialects.openai.reasoning import calls_without_thinking
from ccrouter.dialects.openai.thinking import read_thinking
from ccrouter.dialects.openai.vendors import Vendor, vendor_for, vendors
from ccrouter.errors import InvalidRequest
from ccrouter.http import Headers
from ccrouter.platforms.contract import COUNT_TOKENS, NOTHING, Aim, Ask, CannedAnswer, Exchange, Found, Needs
from ccrouter.platforms.counting import Uncountable, estimated_count
from ccrouter.platforms.empty_message import empty_message
from ccrouter.platforms.openai_exchange import OpenAiExchange, Place

_OLD_AZURE = "/openai/deployments/"
_OLD_AZURE_VERSION = "api-version=2024-10-21"


class OpenAi:
    """See `platforms.contract.Platform`."""

    name = "openai"

    def __init__(self) -> None:
        self._learned = Learned()
        self._uncountable = Uncountable()

    def needs(self, ask: Ask, aim: Aim, credential: Credential) -> Needs:
        """Reasoning that the client does not carry, and media that the server does not fetch."""
        body = ask.request.body
        vendor = vendor_of(credential)
        recalls = vendor.reasoning_back != "none" or vendor.responses or credential.options.get("wire") == "responses"
        asks_memory = recalls and b'"tool_use"' in body and ask.operation != COUNT_TOKENS
        asks_media = b'"url"' in body
        if not asks_memory and not asks_media:
            return NOTHING
        messages = ask.request.document.get("messages")
        return Needs(
            tuple(dict.fromkeys(calls_without_thinking(messages))) if asks_memory else (),
            tuple(dict.fromkeys(urls_in(messages, vendor))) if asks_media else (),
        )

    def open(self, ask: Ask, aim: Aim, credential: Credential, found: Found) -> Exchange | CannedAnswer:
        """See `Platform.open`."""
        document, vendor = ask.request.document, vendor_of(credential)
        counts = ask.operation == COUNT_TOKENS
        if not counts and document.get("max_tokens") == 0:
            return empty_message(ask.request.model, stream=ask.request.stream)
        options = msgspec.convert(credential.options, OpenAiOptions)
        place = _place(credential, vendor, options)
        asked = Asked(
            document,
            aim.model,
            vendor,
            read_thinking(document, aim.effort),
            ask.request.stream,
            ToolNames(),
            found.remembered,
            found.media,
            vision=options.vision,
            fast_tier=options.fast_tier,
            prefix=place.address.endswith("/beta") and vendor.name == "deepseek",
        )
        learned = self._learned.of(place.address, aim.model)
        responses = options.wire == "responses" or (
            options.wire == "auto"
            and _OLD_AZURE not in place.address
            and (learned.responses or (vendor.responses and needs_responses(aim.model)))
        )
        exchange = OpenAiExchange(
            ask,
            asked,
            place,
            self._learned,
            self._uncountable,
            learned,
            responses=responses,
            splits=options.inline_think,
        )
        if counts and not exchange.can_count:
            return estimated_count(ask.request)
        return exchange


def vendor_of(credential: Credential) -> Vendor:
    """The row of a credential's address. Raises InvalidRequest for a vendor that is no row."""
    name = credential.options.get("vendor")
    try:
        return vendor_for(name, credential.base_url)
    except KeyError:
        known = ", ".join(sorted(vendors()))
        raise InvalidRequest(f"The credential names the vendor {name}, which is none of: {known}.") from None


def _place(credential: Credential, vendor: Vendor, options: OpenAiOptions) -> Place:
    address = credential.base_url or vendor.base_url
    if address is None:
        raise InvalidRequest(f"A credential of the vendor {vendor.name} needs its base_url.")
    address, _, query = address.partition("?")
    address = address.rstrip("/")
    if _OLD_AZURE in address and "api-version=" not in query:
        query = f"{query}&{_OLD_AZURE_VERSION}".lstrip("&")
    return Place(address, query, _headers(credential, vendor, options), credential.open_network)


def _headers(credential: Credential, vendor: Vendor, options: OpenAiOptions) -> Headers:
    headers: list[tuple[str, str]] = []
    key = credential.auth.get("api_key")
    if key is not None:
        # A key of Entra is a JSON Web Token, and goes where those go.
        if vendor.key_header == "api-key" and not re.match(r"eyJ[\w-]+\.", str(key)):
            headers.append(("api-key", str(key)))
        else:
            headers.append(("authorization", f"Bearer {key}"))
    if options.organization is not None:
        headers.append(("openai-organization", options.organization))
    if options.project is not None:
        headers.append(("openai-project", options.project))
    if options.referer is not None:
        headers.append(("http-referer", options.referer))
    if options.title is not None:
        headers.append(("x-title", options.title))
    return headers
