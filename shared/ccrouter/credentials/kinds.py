"""What a credential is, and what each platform's `auth` and `options` objects hold (`product.md` §8)."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ccrouter.credentials.imported import kiro_imported


@dataclass(frozen=True, slots=True)
class Block:
    """Why a credential is out of use; `until_s` (seconds since 1970) where it comes back by itself."""

    reason: str
    until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential, decrypted, as an attempt needs it.

    `auth` holds the secret members, `options` the open ones; `models` None admits every model.
    `open_network` is set for an address that comes from the operator's environment. `block` may have ended meanwhile.
    `version` is another one whenever the secret is.
    """

    id: str
    platform: str
    name: str
    base_url: str | None = None
    auth: dict[str, Any] = field(repr=False, default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    weight: int = 1
    max_concurrency: int | None = None
    models: tuple[str, ...] | None = None
    open_network: bool = False
    block: Block | None = None
    version: bytes = field(repr=False, default=b"")


class AuthError(ValueError):
    """An `auth` or `options` object does not fit its platform; `field` names the member."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


_PRINTABLE = r"^[!-~]+$"
Secret = Annotated[
    str, Meta(min_length=1, max_length=20_000, pattern=_PRINTABLE, extra_json_schema={"format": "password"})
]
"""A secret in one piece: printable ASCII without spaces, so that it can stand in a header."""
Region = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", examples=["us-east-1"])]
Address = Annotated[str, Meta(pattern=r"^https?://[!-~]+$", max_length=500)]


class AnthropicAuth(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of the two is sent, since the API prefers `x-api-key` when it sees both."""

    api_key: Secret | None = None
    auth_token: Secret | None = None

    def __post_init__(self) -> None:
        if (self.api_key is None) == (self.auth_token is None):
            raise ValueError("give exactly one of api_key and auth_token")


class AnthropicOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Deviations of compatible addresses, all off by default (anthropic-passthrough.md §3)."""

    forward_rate_limits: bool = False
    forward_beta: bool = True
    anthropic_version: Literal["2023-06-01", "2026-10-21"] | None = None


class BedrockAuth(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A Bedrock API key, AWS access keys, or nothing: the role of this process."""

    api_key: Secret | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None

    def __post_init__(self) -> None:
        keys = (self.access_key_id, self.secret_access_key)
        if self.api_key is not None and any((*keys, self.session_token)):
            raise ValueError("give api_key or access keys, not both")
        if any(keys) != all(keys) or (self.session_token and not all(keys)):
            raise ValueError("access_key_id and secret_access_key belong together")


class BedrockOptions(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`region` is signed and names the host; `profile_prefix` goes before bare model names (`us.`, `global.`, …).

    `profiles` leads single public names to a prefix, an id or an ARN of their own. `door`: InvokeModel, or Anthropic's
    own API there. The others are headers of InvokeModel (bedrock.md §1, §3).
    """

    region: Region
    profile_prefix: Annotated[str, Meta(pattern=r"^[a-z][a-z-]{0,15}\.$")] | None = None
    profiles: dict[str, Annotated[str, Meta(pattern=r"^[!-~]{2,2048}$")]] | None = None
    door: Literal["invoke", "messages"] = "invoke"
    service_tier: Literal["priority", "default", "flex", "reserved"] | None = None
    latency: Literal["standard", "optimized"] | None = None
    guardrail: Annotated[str, Meta(pattern=r"^[!-~]{1,2048}$")] | None = None
    guardrail_version: Annotated[str, Meta(pattern=r"^([1-9][0-9]{0,7}|DRAFT)$")] | None = None
    trace: Literal["ENABLED", "DISABLED", "ENABLED_FULL"] | None = None
    request_metadata: dict[str, Annotated[str, Meta(max_length=256, pattern=r"^[ -~]*$")]] | None = None

    def __post_init__(self) -> None:
        if (self.guardrail is None) != (self.guardrail_version is None):
            raise ValueError("guardrail and guardrail_version belong together")


class VertexAuth(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A service account's key as Google gives it, an express key (Gemini only), or nothing: this process's identity.

    Only keys are taken: other kinds of Google's JSON name files, addresses and programs to run (gemini.md §1).
    """

    service_account: dict[str, Any] | None = None
    api_key: Secret | None = None

    def __post_init__(self) -> None:
        account = self.service_account
        if account is not None and self.api_key is not None:
            raise ValueError("give service_account or api_key, not both")
        if account is None:
            return
        if account.get("type") != "service_account":
            raise ValueError("service_account: must be a key of type service_account")
        for name in ("client_email", "private_key", "token_uri"):
            if not isinstance(account.get(name), str) or not account[name]:
                raise ValueError(f"service_account: {name} is missing")
        if account["token_uri"] != GOOGLE_TOKEN_URL:
            raise ValueError(f"service_account: token_uri must be {GOOGLE_TOKEN_URL}")


class SafetySetting(Struct, forbid_unknown_fields=True):
    """One of Gemini's safety filters and where it begins to block."""

    category: Literal[
        "HARM_CATEGORY_HARASSMENT",
        "HARM_CATEGORY_HATE_SPEECH",
        "HARM_CATEGORY_SEXUALLY_EXPLICIT",
        "HARM_CATEGORY_DANGEROUS_CONTENT",
    ]
    threshold: Literal["OFF", "BLOCK_NONE", "BLOCK_ONLY_HIGH", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_LOW_AND_ABOVE"]


class GenerateOptions(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How requests to Gemini models are made (gemini.md §3, §7).

    `head_room` are the output tokens added to small limits, since thoughts count too. `drop_sampling` leaves
    temperature, top_p and top_k to the model. `validated_calls` lowers the number of malformed calls. `web_search`:
    grounding with Google Search, or a refusal. `most_hops` bounds how often a long answer is continued.
    """

    head_room: Annotated[int, Meta(ge=0, le=32_768)] = 1_024
    drop_sampling: bool = False
    validated_calls: bool = False
    web_search: Literal["grounding", "refuse"] = "grounding"
    safety: list[SafetySetting] = []
    most_hops: Annotated[int, Meta(ge=1, le=64)] = 16


class VertexOptions(GenerateOptions, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`project` is the service account's own where it is left out. All but `project` and `region` is for Gemini."""

    project: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9:.-]{2,62}$")] | None = None
    region: Region = "global"
    api_version: Literal["v1", "v1beta1"] = "v1"


class GeminiAuth(Struct, forbid_unknown_fields=True):
    """An API key of Google AI Studio."""

    api_key: Secret


class GeminiOptions(GenerateOptions, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`api_version` is the path's."""

    api_version: Literal["v1beta", "v1"] = "v1beta"


class OpenAiAuth(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A key, or nothing for servers that ask for none."""

    api_key: Secret | None = None


class OpenAiOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`vendor` names the profile of deviations (openai-compatible.md §2), `wire` the API that is spoken.

    Without a vendor the address shows it. `organization` and `project` are OpenAI's headers, `referer` and `title`
    those of OpenRouter. `vision` False leaves images out, for models that refuse them. `inline_think` splits reasoning
    off that a server leaves in the text. `fast_tier` asks for the priority tier where a client asks for speed.
    """

    vendor: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}$")] | None = None
    wire: Literal["auto", "chat", "responses"] = "auto"
    organization: Annotated[str, Meta(pattern=r"^[!-~]{1,200}$")] | None = None
    project: Annotated[str, Meta(pattern=r"^[!-~]{1,200}$")] | None = None
    referer: Address | None = None
    title: Annotated[str, Meta(pattern=r"^[ -~]{1,200}$")] | None = None
    vision: bool = True
    inline_think: bool = False
    fast_tier: bool = False


ProfileArn = Annotated[str, Meta(pattern=r"^arn:aws[a-z-]*:codewhisperer:[a-z0-9-]+:\d{12}:profile/[\w-]+$")]


class KiroAuth(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The record of kiro.md §3.1: an API key, or the tokens of a sign-in.

    `profile_arn` is what a sign-in came with or was found to have; the one among the options goes before it.
    """

    auth_method: Literal["api_key", "idc", "social"]
    api_key: Secret | None = None
    access_token: Secret | None = None
    refresh_token: Secret | None = None
    expires_at: str | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    client_secret_expires_at: int | None = None
    auth_region: Region | None = None
    start_url: Address | None = None
    profile_arn: ProfileArn | None = None

    def __post_init__(self) -> None:
        if self.auth_method == "api_key":
            if self.api_key is None:
                raise ValueError("api_key is missing")
            return
        if self.refresh_token is None and self.access_token is None:
            raise ValueError("refresh_token is missing")
        if self.refresh_token is not None and (len(self.refresh_token) < 100 or "..." in self.refresh_token):
            raise ValueError("refresh_token is cut off: copy it whole, it has more than 100 characters")
        if self.auth_method == "idc" and self.refresh_token is not None and not (self.client_id and self.client_secret):
            raise ValueError("client_id and client_secret of the sign-in are missing")


class KiroOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Addresses and switches of kiro.md §2, §3.6, §4, §5 and §9.1."""

    api_region: Region | None = None
    profile_arn: ProfileArn | None = None
    runtime_url: Address | None = None
    management_url: Address | None = None
    token_url: Address | None = None
    origin: Annotated[str, Meta(pattern=r"^[A-Z_]{1,32}$")] = "AI_EDITOR"
    opt_out: bool = False
    schema_mode: Literal["strict", "passthrough"] = "strict"
    thinking: Literal["auto", "native", "emulated", "off"] = "auto"


class AntigravityAuth(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The operator's own OAuth client of Google and a refresh token it was given, or nothing: tokens then come from the
    program that the environment names in CCR_ANTIGRAVITY_TOKEN_COMMAND (antigravity.md §3.1)."""

    client_id: Secret | None = None
    client_secret: Secret | None = None
    refresh_token: Secret | None = None

    def __post_init__(self) -> None:
        given = (self.client_id, self.client_secret, self.refresh_token)
        if any(given) and not all(given):
            raise ValueError("client_id, client_secret and refresh_token belong together")


class AntigravityOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`acknowledged`: the operator has read the permission note and holds the right (antigravity.md §1.1).

    `send_call_ids`: Gemini's calls carry ids there too. `head_room` and `safety` as for Gemini. `credit_types` are paid
    credits that requests may spend.
    """

    project: Annotated[str, Meta(pattern=r"^(?!\d+$)[a-z0-9][a-z0-9:.-]{2,62}$")] | None = None
    token_url: Address | None = None
    acknowledged: bool = False
    send_call_ids: bool = False
    head_room: Annotated[int, Meta(ge=0, le=32_768)] = 1_024
    safety: list[SafetySetting] = []
    credit_types: list[Literal["GOOGLE_ONE_AI"]] = []


GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


@dataclass(frozen=True, slots=True)
class Kind:
    """A platform's credential. `base_url` is the platform's own address, None where it cannot be set.

    `refused_endings` are paths an address must not end in, since the router adds them.
    """

    platform: str
    name: str
    auth: type[Struct]
    options: type[Struct]
    base_url: str | None = None
    refused_endings: tuple[str, ...] = ()
    note: str = ""


_HOLD_THE_RIGHT = "You must hold the right to use this account through another product than its own."

KINDS: dict[str, Kind] = {
    kind.platform: kind
    for kind in (
        Kind(
            "anthropic",
            "Anthropic, and addresses that speak its API",
            AnthropicAuth,
            AnthropicOptions,
            "https://api.anthropic.com",
            ("/v1", "/v1/messages"),
        ),
        Kind(
            "bedrock",
            "Amazon Bedrock",
            BedrockAuth,
            BedrockOptions,
            "https://bedrock-runtime.{region}.amazonaws.com",
            ("/model",),
        ),
        Kind("vertex", "Google Vertex AI", VertexAuth, VertexOptions, "https://aiplatform.googleapis.com", ("/v1",)),
        Kind(
            "gemini",
            "Gemini API",
            GeminiAuth,
            GeminiOptions,
            "https://generativelanguage.googleapis.com",
            ("/v1", "/v1beta"),
        ),
        Kind(
            "openai",
            "OpenAI, and addresses that speak its API",
            OpenAiAuth,
            OpenAiOptions,
            "https://api.openai.com/v1",
            ("/chat/completions", "/responses"),
        ),
        Kind("kiro", "Kiro", KiroAuth, KiroOptions, note=_HOLD_THE_RIGHT),
        Kind(
            "antigravity",
            "Antigravity (Cloud Code Assist)",
            AntigravityAuth,
            AntigravityOptions,
            "https://cloudcode-pa.googleapis.com",
            note=f"{_HOLD_THE_RIGHT} Google forbids third-party use of these services without its permission and has "
            "suspended accounts for it.",
        ),
    )
}


def check_auth(platform: str, auth: dict[str, Any]) -> dict[str, Any]:
    """A platform's `auth` object as it is stored: spaces around strings removed, members that are null left out.

    Raises AuthError naming the member.
    """
    if platform == "kiro":
        auth = kiro_imported(auth)
    return _checked(KINDS[platform].auth, auth, "auth")


def check_options(platform: str, options: dict[str, Any]) -> dict[str, Any]:
    """A platform's `options` object as it is stored, without members that have their default. Raises AuthError."""
    return _checked(KINDS[platform].options, options, "options")


def schema_of(struct: type[Struct]) -> dict[str, Any]:
    """The JSON schema of an `auth` or `options` object."""
    (_,), components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = components[struct.__name__]
    return schema


_JSON_WORDS = {"str": "a string", "int": "a number", "bool": "true or false", "object": "an object", "array": "a list"}


def _checked(struct: type[Struct], given: dict[str, Any], name: str) -> dict[str, Any]:
    stripped = {
        member: value.strip() if isinstance(value, str) else value
        for member, value in given.items()
        if value is not None
    }
    try:
        checked = msgspec.convert(stripped, struct)
    except msgspec.ValidationError as error:
        text = str(error)
        match = re.search(r" - at `\$\.([A-Za-z_.\[\]0-9]+)`$", text)
        if match:
            raise AuthError(f"{name}.{match[1]}", _in_words(text[: match.start()])) from None
        unknown = re.match(r"Object contains unknown field `(.+)`", text)
        if unknown:
            raise AuthError(f"{name}.{unknown[1]}", "is not known for this platform") from None
        missing = re.match(r"Object missing required field `(.+)`", text)
        if missing:
            raise AuthError(f"{name}.{missing[1]}", "is missing") from None
        raise AuthError(name, text.removesuffix(" - at `$`")) from None
    document: dict[str, Any] = msgspec.to_builtins(checked)
    return {member: value for member, value in document.items() if value is not None}


def _in_words(text: str) -> str:
    """What msgspec says of a value, for somebody who does not know it."""
    if text == "Expected `str` of length >= 1":
        return "must not be empty"
    if text == f"Expected `str` matching regex '{_PRINTABLE}'":
        return "holds characters that do not belong in it; was it copied whole, without spaces and line breaks?"
    if found := re.fullmatch(r"Expected `(.+?)(?: \| null)?`, got `(.+)`", text):
        return f"must be {_JSON_WORDS.get(found[1], found[1])}, not {_JSON_WORDS.get(found[2], found[2])}"
    return text
