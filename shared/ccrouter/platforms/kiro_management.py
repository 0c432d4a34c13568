"""Kiro's operations beside messages: profiles, models, usage; requests and their answers, no I/O (kiro.md §12)."""

from typing import Any
from urllib.parse import urlencode

import msgspec

from ccrouter.http import HttpRequest
from ccrouter.platforms.kiro_account import API_KEY, KiroAccount

_NO_PROFILE = "builder id is not supported"


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


def read_renewed_at(status: int, body: bytes) -> float | None:
    """When the plan is filled again, in seconds since 1970; None where it is not said."""
    moment = _members(body).get("nextDateReset") if status == 200 else None
    return float(moment) if isinstance(moment, (int, float)) and 0 < moment < 10**11 else None


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
