"""Kiro's operations beside messages: profiles, models, usage; requests and their answers, no I/O (kiro.md §12)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from ccrouter.dialects.kiro.errors import masked
from ccrouter.errors import SignInFailed
from ccrouter.http import HttpRequest
from ccrouter.platforms.kiro_account import API_KEY, KiroAccount
from ccrouter.platforms.quota import QuotaWindow

_NO_PROFILE = "builder id is not supported"


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of an account's plan is used; `goes_on` where more is paid for beyond the plan."""

    plan: str | None
    windows: tuple[QuotaWindow, ...]
    renewed_at: datetime | None
    goes_on: bool = False

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left of anything that is metered."""
        known = [window.left for window in self.windows if window.left is not None]
        return bool(known) and not self.goes_on and max(known) == 0.0


def profile_request(account: KiroAccount) -> HttpRequest:
    """Asks for the account's profiles; of an API key, for its own: listing is refused to keys."""
    if account.method != API_KEY:
        return _request(account, "POST", _path(account, "ListAvailableProfiles"), b"{}")
    headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("accept", "application/json"),
        ("x-amz-target", "AmazonCodeWhispererService.GetProfile"),
        *account.headers(),
    ]
    return HttpRequest(
        "POST", f"{account.management_url}/", headers, b"{}", open_network=account.credential.open_network
    )


def read_profiles(status: int, body: bytes) -> list[str] | None:
    """The ARNs of the profiles in use, none for accounts that have none; None where the answer says nothing."""
    members = _members(body)
    if status == 403 and _NO_PROFILE in str(members.get("message", "")).lower():
        return []
    if status != 200:
        return None
    listed = members.get("profiles")
    if not isinstance(listed, list):
        listed = [members.get("profile")]
    return [
        item["arn"]
        for item in listed
        if isinstance(item, dict) and isinstance(item.get("arn"), str) and item.get("status", "ACTIVE") == "ACTIVE"
    ]


def models_request(account: KiroAccount, next_token: str | None = None) -> HttpRequest:
    """Asks for the models that the account may use."""
    more = {} if next_token is None else {"nextToken": next_token}
    return _request(account, "GET", f"{_path(account, 'ListAvailableModels')}?{_query(account, more)}")


def read_models(status: int, body: bytes) -> tuple[dict[str, dict[str, Any]], str | None]:
    """What a request must know of each model, by id, and where the list goes on."""
    members = _members(body)
    found: dict[str, dict[str, Any]] = {}
    listed = members.get("models") if status == 200 else None
    for item in listed if isinstance(listed, list) else ():
        if not isinstance(item, dict) or not isinstance(item.get("modelId"), str):
            continue
        entry: dict[str, Any] = {}
        limits, schema = item.get("tokenLimits"), item.get("additionalModelRequestFieldsSchema")
        if isinstance(limits, dict) and type(window := limits.get("maxInputTokens")) is int and window > 0:
            entry["window"] = window
        if isinstance(schema, dict):
            entry["fields_schema"] = schema
        found[item["modelId"]] = entry
    next_token = members.get("nextToken")
    return found, next_token if isinstance(next_token, str) and next_token else None


def usage_request(account: KiroAccount) -> HttpRequest:
    """Asks how much of the plan is used."""
    more = {"resourceType": "CREDIT", "isEmailRequired": "false"}
    path = "/Get-Usage-Limits" if _is_current(account) else "/getUsageLimits"
    return _request(account, "GET", f"{path}?{_query(account, more)}")


def read_usage(status: int, body: bytes) -> Usage:
    """How much of the plan is used. Raises SignInFailed where the answer does not say."""
    members = _members(body)
    if status != 200 or not members:
        said = str(members.get("message") or members.get("Message") or "no message")[:300]
        raise SignInFailed(f"Kiro does not say how much is used (status {status}: {masked(said)}).", needs_login=False)
    subscription = members.get("subscriptionInfo")
    plan = subscription.get("subscriptionTitle") if isinstance(subscription, dict) else None
    renewed_at, windows = _moment(members.get("nextDateReset")), []
    for item in _objects(members.get("usageBreakdownList")):
        name = str(item.get("displayName") or item.get("resourceType") or "usage")
        used, limit = _precise(item, "currentUsage"), _precise(item, "usageLimit")
        resets_at = _moment(item.get("nextDateReset")) or renewed_at
        windows.append(_window(name, used, limit, item.get("unit"), resets_at))
        trial = item.get("freeTrialInfo")
        if isinstance(trial, dict) and trial.get("freeTrialStatus") == "ACTIVE":
            used, limit = _precise(trial, "currentUsage"), _precise(trial, "usageLimit")
            ends_at = _moment(trial.get("freeTrialExpiry"))
            windows.append(_window(f"{name}, free trial", used, limit, item.get("unit"), ends_at))
    for item in _objects(members.get("limits")):
        used, limit = _number(item.get("currentUsage")), _number(item.get("totalUsageLimit"))
        windows.append(_window(str(item.get("type") or "usage"), used, limit, None, renewed_at))
    overage = members.get("overageConfiguration")
    pays = isinstance(overage, dict) and overage.get("overageStatus") == "ENABLED"
    return Usage(plan if isinstance(plan, str) else None, tuple(windows), renewed_at, goes_on=pays)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def _precise(item: dict[str, Any], name: str) -> float | None:
    precise = _number(item.get(f"{name}WithPrecision"))
    return _number(item.get(name)) if precise is None else precise


def _moment(value: Any) -> datetime | None:
    """Seconds since 1970, as far as they are a date that people will see."""
    return datetime.fromtimestamp(float(value), UTC) if (_number(value) or 0.0) and value < 10**11 else None


def _window(name: str, used: float | None, limit: float | None, unit: Any, resets_at: datetime | None) -> QuotaWindow:
    left = None if used is None or not limit else min(1.0, max(0.0, 1.0 - used / limit))
    unit = unit if isinstance(unit, str) and unit else None
    return QuotaWindow(name=name, left=left, used=used, limit=limit, unit=unit, resets_at=resets_at)


def _is_current(account: KiroAccount) -> bool:
    """The current host spells its paths with hyphens."""
    return account.management_url.endswith(".kiro.dev")


def _path(account: KiroAccount, operation: str) -> str:
    if not _is_current(account):
        return f"/{operation}"
    return f"/{operation.replace('Available', '-Available-')}"


def _query(account: KiroAccount, more: dict[str, str]) -> str:
    members = {"origin": str(account.credential.options.get("origin", "AI_EDITOR")), **more}
    if account.profile_arn:
        members["profileArn"] = account.profile_arn
    return urlencode(members)


def _request(account: KiroAccount, method: str, path: str, body: bytes = b"") -> HttpRequest:
    headers = [("accept", "application/json"), *account.headers()]
    if body:
        headers.append(("content-type", "application/json"))
    return HttpRequest(
        method, f"{account.management_url}{path}", headers, body, open_network=account.credential.open_network
    )


def _members(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
