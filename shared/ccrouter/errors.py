"""How the router fails.

    CcrError
    ├── SettingsError                 a setting is missing or malformed; ends the start
    ├── StorageAway                   PostgreSQL (or Redis, where it is needed) does not answer
    ├── ApiError                      the router's own answer to a client, in Anthropic's shape
    │   ├── InvalidRequest            400 invalid_request_error
    │   ├── AuthenticationFailed      401 authentication_error
    │   ├── PermissionDenied          403 permission_error
    │   ├── NotFound                  404 not_found_error
    │   ├── RequestSlow               408 timeout_error
    │   ├── RequestTooLarge           413 request_too_large
    │   ├── QuotaUsedUp               429 rate_limit_error, every account's quota is used up
    │   ├── InternalFault             500 api_error
    │   ├── BadGateway                502 api_error
    │   ├── Unavailable               503 api_error
    │   ├── GatewayTimeout            504 timeout_error
    │   └── Overloaded                529 overloaded_error
    └── UpstreamError                 an attempt failed; its verdict says what may be tried next
        ├── UpstreamUnreachable       no connection, or it closed before the answer began
        ├── UpstreamTimeout           no answer in time
        ├── UpstreamForbidden         the address lies in a network that is not allowed
        ├── UpstreamRefused           an answer with an error status
        ├── AnsweredWithError         a success status whose body is an error
        ├── StreamBroken              the answer was cut, or is no answer at all
        └── SignInFailed              the credential's own sign-in could not be renewed

Every class carries its status, its Anthropic error type and its verdict, so that no loop reads numbers.
"""

from dataclasses import dataclass
from enum import Enum

from ccrouter.http import Headers


class CcrError(Exception):
    """The root of all errors the router raises on purpose."""


class SettingsError(CcrError):
    """One or more settings cannot work; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StorageAway(CcrError):
    """The database does not answer now; trying again later may help."""


class ApiError(CcrError):
    """An error the router itself answers with, in the shape and with the headers of Anthropic's API.

    `extra` are further response headers; `details` becomes `error.details`.
    """

    status = 500
    kind = "api_error"

    def __init__(self, message: str, *, extra: Headers = (), error_code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.extra = tuple(extra)
        self.error_code = error_code


NO_RETRY: Headers = (("x-should-retry", "false"),)
"""Stops the repeats of Claude Code and of the SDKs at the first answer (anthropic-messages.md §13.6)."""


class InvalidRequest(ApiError):
    status, kind = 400, "invalid_request_error"


class AuthenticationFailed(ApiError):
    """No, unknown, disabled or expired key: one text for all, so that nobody can tell them apart."""

    status, kind = 401, "authentication_error"

    def __init__(self) -> None:
        super().__init__(
            "This API key is not valid here. Ask your administrator for a key of this router (sk-ccr-…), "
            "and set it as ANTHROPIC_AUTH_TOKEN or ANTHROPIC_API_KEY.",
            extra=NO_RETRY,
        )


class PermissionDenied(ApiError):
    status, kind = 403, "permission_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, extra=NO_RETRY)


class NotFound(ApiError):
    status, kind = 404, "not_found_error"


class RequestSlow(ApiError):
    """The request did not arrive whole in time; what still comes of it is not read."""

    status, kind = 408, "timeout_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, extra=(("connection", "close"),))


class RequestTooLarge(ApiError):
    status, kind = 413, "request_too_large"


class QuotaUsedUp(ApiError):
    """The quotas of all accounts that could answer are used up; the message says until when."""

    status, kind = 429, "rate_limit_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, extra=NO_RETRY)


class InternalFault(ApiError):
    status, kind = 500, "api_error"


class BadGateway(ApiError):
    status, kind = 502, "api_error"


class Unavailable(ApiError):
    status, kind = 503, "api_error"


class GatewayTimeout(ApiError):
    status, kind = 504, "timeout_error"


class Overloaded(ApiError):
    """Every account serves as many requests as it may."""

    status, kind = 529, "overloaded_error"


class Verdict(Enum):
    """What may be tried after a failed attempt."""

    FINAL = "final"
    """The request itself is at fault: nothing else is tried."""
    NEXT_CREDENTIAL = "next_credential"
    """The next credential of the target, then the next target."""
    NEXT_TARGET = "next_target"
    """The next target of the chain, never another account of the same platform: it refused, or a plan is used up."""


class Trouble(Enum):
    """What a failed attempt means for the credential it was made with (anthropic-passthrough.md §2, "Cool-down")."""

    NONE = "none"
    """Nothing: the request was at fault."""
    THROTTLED = "throttled"
    """Too much for now: it cools down."""
    FAULT = "fault"
    """The platform failed; several in a row, from several conversations, let it cool down."""
    UNAUTHORIZED = "unauthorized"
    """The secret was not accepted; a second time it is blocked."""
    EXHAUSTED = "exhausted"
    """A quota is used up: blocked until it is filled again."""
    REFUSED = "refused"
    """The platform will not serve it: blocked until an administrator acts."""


USUAL_STEPS = (5.0, 60.0)
"""From five seconds, doubled each time, to a minute."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from a failed attempt, beside its verdict.

    `retry_after_s` is the wait a platform asks for (exact, for the cool-down); `scope` is what it holds for: "" for
    the whole credential, else a model's name or the name of a group of models that share a quota. `repeats` are the
    waits, in seconds, before each repetition on the same credential; `renews` names what the sign-in should get anew
    before one further try ("token", "profile", "project", "usage"; "" for nothing). `steps` are the first and the
    longest wait of a cool-down whose length the platform does not name.
    """

    trouble: Trouble = Trouble.NONE
    retry_after_s: float | None = None
    scope: str = ""
    repeats: tuple[float, ...] = ()
    renews: str = ""
    steps: tuple[float, float] = USUAL_STEPS


class UpstreamError(CcrError):
    """An attempt on a platform failed."""

    kind = "api_error"
    verdict = Verdict.NEXT_CREDENTIAL
    outcome = "failed"
    consequence = Consequence(Trouble.FAULT)

    def __init__(self, message: str, *, kind: str | None = None, consequence: Consequence | None = None) -> None:
        super().__init__(message)
        self.message = message
        if kind is not None:
            self.kind = kind
        if consequence is not None:
            self.consequence = consequence


class UpstreamUnreachable(UpstreamError):
    """No connection, or the connection closed before the answer began."""

    outcome = "unreachable"


class UpstreamTimeout(UpstreamError):
    """The platform did not answer in time."""

    kind = "timeout_error"
    outcome = "timeout"


class UpstreamForbidden(UpstreamError):
    """The address lies in a private, loopback or link-local network that the operator has not opened."""

    outcome = "forbidden_address"
    consequence = Consequence()


class UpstreamRefused(UpstreamError):
    """The platform answered with an error status.

    `body` is the answer as the client shall get it (Anthropic's shape), `headers` the ones that go with it.
    """

    outcome = "refused"

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        verdict: Verdict,
        headers: Headers,
        body: bytes,
        on_credential: bool,
        consequence: Consequence = Consequence(),
    ) -> None:
        super().__init__(message, kind=kind, consequence=consequence)
        self.status = status
        self.verdict = verdict
        self.headers = headers
        self.body = body
        self.on_credential = on_credential


_TROUBLES = {
    "rate_limit_error": Trouble.THROTTLED,
    "overloaded_error": Trouble.THROTTLED,
    "invalid_request_error": Trouble.NONE,
    "not_found_error": Trouble.NONE,
    "request_too_large": Trouble.NONE,
}
"""What an error says of the credential where there is no status to tell; any other is a fault of the platform."""


class AnsweredWithError(UpstreamError):
    """The status said success, but the body (or a stream's first event) is an error."""

    outcome = "error_in_answer"

    def __init__(self, kind: str, message: str) -> None:
        trouble = _TROUBLES.get(kind, Trouble.FAULT)
        super().__init__(message, kind=kind, consequence=Consequence(trouble))


class StreamBroken(UpstreamError):
    """The answer was cut, or what came is no answer."""

    outcome = "broken"


class SignInFailed(UpstreamError):
    """No access could be got for a credential; `needs_login` where only a person can renew its sign-in."""

    kind = "authentication_error"
    outcome = "sign_in_failed"

    def __init__(self, message: str, *, needs_login: bool) -> None:
        trouble = Trouble.REFUSED if needs_login else Trouble.FAULT
        super().__init__(message, consequence=Consequence(trouble))
        self.needs_login = needs_login
