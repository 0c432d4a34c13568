"""The names a key may ask for, in the shape of Anthropic's list of models (anthropic-messages.md §11.3)."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec

from ccrouter.access.keys import ApiKey
from ccrouter.errors import InvalidRequest, NotFound
from ccrouter.platforms.registry import UNMAPPED_PLATFORM
from ccrouter.ports import RoutingData
from ccrouter.routing.catalog import KnownModel, known_models
from ccrouter.routing.mapping import Resolution, resolve

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 1000


def models_of(key: ApiKey, routing: RoutingData) -> list[dict[str, Any]]:
    """Every known name, and every plain name of the key's rules, that the key may use and that leads somewhere."""
    known = {model.id: model for model in known_models()}
    plain = [rule.match for rule in key.mapping.rules if not set(rule.match) & set("*?[")]
    names = [*known, *(name for name in plain if name not in known)]
    return [
        _model_info(name, known.get(name))
        for name in names
        if key.may_use(name) and _leads_somewhere(resolve(name, key.mapping, routing.default_mapping), routing)
    ]


def list_page(models: Sequence[dict[str, Any]], query: str) -> bytes:
    """A page: `limit` (20, at most 1000), `after_id`, `before_id`. Raises InvalidRequest."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    limit_text = asked.get("limit", str(_DEFAULT_LIMIT))
    if not re.fullmatch("[0-9]{1,4}", limit_text) or not 1 <= int(limit_text) <= _MAX_LIMIT:
        raise InvalidRequest(f"limit: must be a number from 1 to {_MAX_LIMIT}")
    limit = int(limit_text)
    ids = [model["id"] for model in models]
    if (after := asked.get("after_id")) is not None:
        begin = ids.index(after) + 1 if after in ids else len(ids)
        page, more = models[begin : begin + limit], len(ids) > begin + limit
    elif (before := asked.get("before_id")) is not None:
        end = ids.index(before) if before in ids else 0
        page, more = models[max(0, end - limit) : end], end > limit
    else:
        page, more = models[:limit], len(ids) > limit
    return msgspec.json.encode(
        {
            "data": page,
            "has_more": more,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
        }
    )


def one_model(models: Sequence[dict[str, Any]], model_id: str) -> bytes:
    """One entry. Raises NotFound."""
    for model in models:
        if model["id"] == model_id:
            return msgspec.json.encode(model)
    raise NotFound(f"model: {model_id}")


def _leads_somewhere(resolution: Resolution, routing: RoutingData) -> bool:
    if resolution.targets is None:
        return any(credential.platform == UNMAPPED_PLATFORM for credential in routing.credentials)
    return bool(resolution.targets)


def _model_info(name: str, known: KnownModel | None) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": known.display_name if known else name,
        "created_at": known.created_at if known else "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "line": known.line if known else None,
        "max_input_tokens": known.max_input_tokens if known else None,
        "max_tokens": known.max_tokens if known else None,
        "deprecated_at": None,
        "retires_at": None,
        "capabilities": None,
    }
