"""How much of an Antigravity account's quotas is left: requests and their answers, no I/O (antigravity.md §12)."""

from datetime import datetime
from typing import Any

import msgspec

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import SignInFailed
from ccrouter.http import HttpRequest
from ccrouter.platforms.code_assist_calls import call, members_of
from ccrouter.platforms.quota import QuotaWindow

Answer = tuple[int, bytes]
"""Status and body."""


def quota_request(credential: Credential) -> HttpRequest:
    """Asks for the quotas in buckets, the official way."""
    return call(credential, "retrieveUserQuota", _project(credential))


def models_request(credential: Credential) -> HttpRequest:
    """Asks for the models, which tell of quotas of their own."""
    return call(credential, "fetchAvailableModels", _project(credential))


def read_quota(buckets: Answer, models: Answer) -> tuple[QuotaWindow, ...]:
    """What is left, by model: from the buckets, else from the list of models. Raises SignInFailed for two failures."""
    if buckets[0] != 200 and models[0] != 200:
        raise SignInFailed(
            f"Antigravity does not say what is left (status {buckets[0]} and {models[0]}).", needs_login=False
        )
    windows: dict[str, QuotaWindow] = {}
    listed = members_of(buckets[1]).get("buckets") if buckets[0] == 200 else None
    for bucket in listed if isinstance(listed, list) else ():
        if isinstance(bucket, dict) and isinstance(name := bucket.get("modelId"), str):
            unit = bucket.get("tokenType")
            kind = unit if isinstance(unit, str) and unit else None
            windows[f"{name} {kind or ''}"] = _window(name, bucket, kind)
    in_buckets = {window.name for window in windows.values()}
    known = members_of(models[1]).get("models") if models[0] == 200 else None
    for name, model in known.items() if isinstance(known, dict) else ():
        info = model.get("quotaInfo") if isinstance(model, dict) else None
        if isinstance(info, dict) and name not in in_buckets:
            windows[name] = _window(name, info, None)
    return tuple(sorted(windows.values(), key=lambda window: window.name))


def _window(name: str, told: dict[str, Any], unit: str | None) -> QuotaWindow:
    resets_at = _moment(told.get("resetTime"))
    left = told.get("remainingFraction")
    if isinstance(left, (int, float)) and not isinstance(left, bool):
        share: float | None = min(1.0, max(0.0, float(left)))
    else:
        # A share of zero is left out, as proto3 does with zeros; then the reset is still told.
        share = None if resets_at is None else 0.0
    return QuotaWindow(name=name, left=share, unit=unit, resets_at=resets_at)


def _moment(value: Any) -> datetime | None:
    try:
        return msgspec.convert(value, datetime) if isinstance(value, str) else None
    except msgspec.ValidationError:
        return None


def _project(credential: Credential) -> dict[str, Any]:
    project = credential.options.get("project") or credential.auth.get("project")
    return {"project": project} if project else {}
