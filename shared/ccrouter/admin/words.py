"""What members are, said once: a member of one name is the same thing wherever it stands, unless its model says more.

`complete` puts these words, and an example for every schema, into the API's description.
"""

from typing import Any

MEMBERS = {
    "action": "What was, or would be, done",
    "actor": "Who did it",
    "after": "As it became",
    "agent_id": "The sub-agent that asked, as Claude Code names it",
    "alerts": "When webhooks tell of spend",
    "allowed_clients": "Patterns for the client's name; without one every client may",
    "allowed_ips": "Networks and addresses that may use it; without one all may",
    "allowed_models": "Patterns for the names that may be asked for; without one every name may",
    "at": "When it was",
    "attempts": "Every try, in order",
    "base_url": "Another address than the platform's own",
    "before": "As it was",
    "body": "What was sent",
    "bucket": "How long each point is",
    "cache_read": "For tokens read from the prompt cache",
    "cache_read_tokens": "Tokens read from the prompt cache",
    "cache_write": "For tokens written to the prompt cache",
    "cache_write_1h": "Tokens written to the prompt cache for an hour",
    "cache_write_1h_tokens": "Tokens written to the prompt cache for an hour",
    "cache_write_5m": "Tokens written to the prompt cache for five minutes",
    "cache_write_5m_tokens": "Tokens written to the prompt cache for five minutes",
    "changes": "What is, or would be, another",
    "children": "The sub-agents it began",
    "client": "The program that asked, as it names itself",
    "client_ip": "The address it was asked from",
    "code": "A stable name for what is wrong, for programs",
    "configuration": "What an export gave",
    "connect_ms": "Until the platform had the request",
    "content_type": "The media type of the body",
    "cost": "In USD, itemised; null where there is no price or nothing was used",
    "cost_state": "Whether it has a cost: priced, unpriced or none",
    "created_at": "When it was made",
    "credential": "The account that was used; null for members",
    "credential_id": "Only this credential of the platform; null: any",
    "credentials": "The accounts on platforms",
    "current": "The password in force",
    "currency": "Always USD",
    "deleted_at": "When it was deleted; null: it is not",
    "detail": "What is wrong, in a sentence",
    "dry_run": "Whether it only says what would change",
    "duration_ms": "From the first to the last byte",
    "effort": "How much the model shall think; null: as the client asks",
    "email": "The mail address",
    "enabled": "Whether it is used",
    "ended_at": "When it ended; null: not yet",
    "error": "What went wrong; null: nothing",
    "errors": "Requests, or members, that failed",
    "expires_at": "When it ends; null: never",
    "first_token_ms": "From there until the first token",
    "from": "The first moment of the period",
    "generation_ms": "From the first token to the end",
    "github": "Who may sign in with GitHub",
    "group_by": "What it is grouped by",
    "http_status": "The status that was answered; null: none was",
    "id": "UUIDv7, or the name of what has no other",
    "input": "For tokens that were sent",
    "input_tokens": "Tokens that were sent, the cached ones left out",
    "items": "The part of the list",
    "key": "The API key",
    "key_id": "The id of an API key",
    "keys": "API keys",
    "kind": "What kind of thing it is",
    "language": "The language of the pages",
    "last_used_at": "When it was last used; null: never",
    "latency": "How long answers took",
    "limit": "How much there is; null where the platform does not tell",
    "limits": "What may be used; without a member there is no such limit",
    "log_id": "The row in the request log",
    "login": "The name somebody signs in with",
    "long_rates": "Prices above the length where others begin; null: the same",
    "made_at": "When it was made",
    "mapping": "Where model names lead",
    "max_concurrency": "Requests under way at once; null: no bound",
    "mean_ms": "The mean",
    "measure": "The figure that was asked for",
    "members": "What members may do for themselves",
    "message": "What went wrong, in a sentence",
    "metric": "What is counted",
    "model": "The model's name, as the platform has it",
    "models": "Models, by name",
    "month": "What it has used in this calendar month (UTC)",
    "ms": "Milliseconds it took",
    "name": "What people call it",
    "needs_credential": "Whether it needs an account",
    "note": "Free text",
    "ok": "Whether, or how often, it went well",
    "options": "Options of its platform",
    "other": "For everything else, such as searches",
    "outcome": "What came of it",
    "output": "For tokens that came back",
    "output_tokens": "Tokens that came back, those of thinking among them",
    "own": "Own prices, which go before list prices",
    "owner": "Whose it is",
    "owner_id": "Whose it is; the caller's where it is left out",
    "p50_ms": "Half of them took no longer",
    "p95_ms": "95 of 100 took no longer",
    "parent_agent_id": "The agent that began this one",
    "password": "The password; write only",
    "period": "The time it is about",
    "plan": "The account's plan, as its platform names it",
    "platform": "The id of a platform",
    "platforms": "Platforms, by id",
    "points": "One figure for each step of the period",
    "price_version": "The price version that made it",
    "priority": "Higher ones are used first",
    "public_url": "The address people open",
    "queue_ms": "Waiting for a place under the key's concurrency",
    "rates": "USD per million tokens",
    "read_at": "When it was asked",
    "reason": "Why, in the platform's words or the router's",
    "reasoning_tokens": "Of the output, those of thinking",
    "request_id": "The id the client was told",
    "requested_model": "The name the client asked for",
    "requests": "How many requests",
    "result": "What came of it",
    "retention": "How long data is kept",
    "role": "`admin` may do everything, `member` sees and manages what is own",
    "rule": "The pattern of the mapping that matched",
    "session_id": "The conversation",
    "settings": "The settings of the installation",
    "setup_open": "Whether the first administrator is still to be made",
    "sign_in": "The ways to sign in that are open",
    "slot": "The model family that was found in the name",
    "started_at": "When it was begun; null: not yet",
    "starts": "The first moments of the steps",
    "state": "How it is",
    "status": "How it is, or how it ended",
    "stop_reason": "Why the model stopped",
    "stream": "Whether the answer was a stream",
    "sums": "What it all came to",
    "tags": "Words to find it by",
    "theme": "The colours of the pages",
    "time_zone": "The zone whose days and months count",
    "timings": "Where the time went",
    "title": "The kind of error, in two words",
    "to": "The moment after the period",
    "tokens": "Tokens by class",
    "total": "All together",
    "ttft_ms": "Until the first token",
    "type": "The kind",
    "tz": "The zone that was counted by",
    "until": "When it ends by itself; null: not by itself, or not known",
    "updated_at": "When it was changed last",
    "upstream_request_id": "The platform's own id of the request",
    "url": "An address",
    "usage": "Tokens that were used; null: none",
    "usage_state": "Whether the platform has told all (final), a part (partial), or it is estimated",
    "used": "How much is used; null where the platform does not tell",
    "user": "Whose request, or who it is",
    "username": "The login",
    "users": "People",
    "valid_from": "From when it holds; null: ever",
    "valid_until": "Until when it holds; null: for ever",
    "version": "The version",
    "web_searches": "Searches in the web",
    "webhooks": "Who is told of what happens",
    "weight": "The share among those of one priority",
    "windows": "What the platform meters",
    "access_token": "The bearer token",
    "admission_ms": "Checking key and limits",
    "failed": "Those that the platform, not the client, ended",
    "half_hours": "48, oldest first",
    "token_type": "Always `bearer`",
}

_BY_FORMAT = {
    "date-time": "2026-11-03T09:30:00.000Z", "binary": "…", "date": "2026-11-03", "uri": "https://example.com/",
}  # fmt: skip
_BY_NAME = {
    "id": "019a0000-0000-7000-8000-000000000001",
    "language": "en",
    "expires_at": "2099-12-31T00:00:00.000Z",
    "request_id": "req_019a000000007000800000000000001a",
}
_DEEPEST = 6


def complete(document: dict[str, Any]) -> None:
    """Fills in the words of members, and an example for every schema that has none."""
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if name.startswith("Page_"):
            schema["description"] = "A part of a list."
        for member, described in schema.get("properties", {}).items():
            if "description" not in described and member in MEMBERS:
                described["description"] = MEMBERS[member]
    for schema in schemas.values():
        if "examples" not in schema and schema.get("type") == "object":
            schema["examples"] = [_example(schema, schemas, "", 0)]
        schema["examples"] = [_whole(example, schema, schemas) for example in schema.get("examples", ())]


def _whole(example: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """An example with the members that FastAPI has dropped because they are null, and those of a wider model."""
    if "$ref" in schema:
        return _whole(example, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if isinstance(example, list):
        return [_whole(item, schema.get("items", {}), schemas) for item in example]
    if not isinstance(example, dict):
        return example
    members = schema.get("properties", {})
    whole = {name: _whole(value, members.get(name, {}), schemas) for name, value in example.items()}
    for name in schema.get("required", ()):
        if name not in whole:
            has_null = {"type": "null"} in members[name].get("anyOf", ())
            whole[name] = None if has_null else _example(members[name], schemas, name, 1)
    return whole


def _example(schema: dict[str, Any], schemas: dict[str, Any], name: str, depth: int) -> Any:
    """A value that the schema allows, of its own examples where it has some."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth + 1)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("default") is not None:
        return schema["default"]
    if "anyOf" in schema:
        kinds = schema["anyOf"]
        has_null = {"type": "null"} in kinds
        return None if has_null and depth >= _DEEPEST else _example(kinds[0], schemas, name, depth)
    kind = schema.get("type")
    if kind == "object":
        return _object_example(schema, schemas, depth)
    if kind == "array":
        if depth >= _DEEPEST and not schema.get("minItems"):
            return []
        items = schema.get("prefixItems") or [schema.get("items", {})] * max(1, schema.get("minItems", 1))
        return [_example(item, schemas, name, depth + 1) for item in items]
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _BY_NAME.get(name) or _BY_FORMAT.get(schema.get("format", "")) or name.replace("_", " ") or "text"


def _object_example(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> dict[str, Any]:
    members = schema.get("properties", {})
    needed = set(schema.get("required", members))
    # An input shows what is needed and what it has an example for: the rest may not fit together.
    shown = {
        name: member
        for name, member in members.items()
        if name in needed or member.get("examples") or schema.get("additionalProperties") is not False
    }
    values = {name: _example(member, schemas, name, depth + 1) for name, member in shown.items()}
    if not values and isinstance(schema.get("additionalProperties"), dict):
        return {"name": _example(schema["additionalProperties"], schemas, "name", depth + 1)}
    return values
