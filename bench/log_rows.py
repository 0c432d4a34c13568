"""Fills a database with a request log as a busy year leaves it, with its hourly sums: for measurements."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine

from ccrouter.ids import first_id
from ccrouter.storage import partitions
from ccrouter.storage.rollups import adding

DAYS = 300
SESSIONS_AT_ONCE, ROWS_OF_A_SESSION = 50, 30
KEYS, USERS, CREDENTIALS = 200, 50, 20
_SIZES = {
    "users": USERS,
    "keys": KEYS,
    "credentials": CREDENTIALS,
    "at_once": SESSIONS_AT_ONCE,
    "block": SESSIONS_AT_ONCE * ROWS_OF_A_SESSION,
}
_CHUNK = 500_000
_PEOPLE = """
INSERT INTO users (id, login, role, status)
SELECT pg_temp.id_of(2, n), 'person-' || n, 'member', 'active' FROM generate_series(0, %(users)s - 1) AS n
ON CONFLICT DO NOTHING;
INSERT INTO api_keys (id, name, prefix, digest, owner_id)
SELECT pg_temp.id_of(1, n), 'key ' || n, 'sk-ccr-', n::text, pg_temp.id_of(2, n %% %(users)s)
FROM generate_series(0, %(keys)s - 1) AS n
ON CONFLICT DO NOTHING
"""

_FUNCTIONS = """
CREATE FUNCTION pg_temp.id_of(kind int, number int) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid;
CREATE FUNCTION pg_temp.share(seed bigint) RETURNS double precision LANGUAGE sql IMMUTABLE
    RETURN (hashint8extended(seed, 7) & 1073741823)::float8 / 1073741824;
"""

_ROWS = """
INSERT INTO request_log (
    id, at, kind, request_id, upstream_request_id, key_id, key_name, user_id, user_login, session_id, agent_id,
    parent_agent_id, request_class, client, client_ip, requested_model, slot, platform, model, credential_id,
    credential_name, stream, status, http_status, stop_reason, error_type, error_message, input_tokens, output_tokens,
    cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, web_searches, usage_state,
    usage_raw, cost_total, cost, cost_state, timings, ttft_ms, duration_ms, attempts, stored_at)
SELECT
    id, at, kind, 'req_' || replace(id::text, '-', ''), CASE WHEN served THEN 'req_' || md5(number::text) END,
    pg_temp.id_of(1, key), 'key ' || key || ' of team ' || key %% 7, pg_temp.id_of(2, key %% %(users)s),
    'person-' || key %% %(users)s, session_id,
    CASE WHEN agent > 0 THEN md5(session_id || agent) END,
    CASE WHEN agent > 3 THEN md5(session_id || (agent - 3)) END,
    CASE WHEN agent > 0 THEN 'subagent' ELSE 'main' END,
    'claude-cli/2.1.' || 300 + key %% 40 || ' (external, ' || (ARRAY['cli', 'sdk-cli'])[1 + key %% 2] || ')',
    '10.1.' || key || '.7', model, slot, CASE WHEN served THEN platform END, CASE WHEN served THEN model END,
    CASE WHEN served THEN pg_temp.id_of(3, credential) END, CASE WHEN served THEN 'account ' || credential END,
    stream, status, CASE status WHEN 'ok' THEN 200 WHEN 'error' THEN 529 WHEN 'limited' THEN 429 END,
    CASE WHEN status = 'ok' THEN 'end_turn' END, error_type,
    CASE error_type WHEN 'rate_limit_error' THEN 'This key may ask 60 times a minute; ask again in 12 s.'
        WHEN 'overloaded_error' THEN 'Overloaded'
        WHEN 'api_error' THEN 'The platform answered with incident-' || number %% 5000 || '.' END,
    tokens / 20, output, tokens, tokens / 10, 0, CASE WHEN billed THEN 0 END, CASE WHEN billed THEN 0 END,
    CASE WHEN billed THEN 'final' END,
    CASE WHEN billed THEN jsonb_build_object('input_tokens', tokens / 20, 'output_tokens', output,
        'cache_read_input_tokens', tokens, 'cache_creation_input_tokens', tokens / 10, 'service_tier', 'standard') END,
    cost, CASE WHEN billed THEN jsonb_build_object('total', cost::text, 'input', '0', 'output', cost::text,
        'cache_read', '0', 'cache_write', '0', 'other', '0', 'rates', '{"input": "3", "output": "15"}'::jsonb,
        'currency', 'USD', 'price_version', '2026-11') END,
    CASE WHEN billed THEN 'priced' ELSE 'none' END,
    jsonb_build_object('admission_ms', 1, 'queue_ms', 0, 'connect_ms', 40, 'first_token_ms', duration / 5,
        'generation_ms', duration / 5 * 4),
    duration / 5, duration,
    CASE WHEN NOT served THEN '[]'::jsonb WHEN retried THEN jsonb_build_array(failed, done) ELSE jsonb_build_array(done)
    END,
    at + duration * interval '1 ms'
FROM (
    SELECT *, jsonb_build_object('platform', platform, 'model', model, 'credential_id', pg_temp.id_of(3, credential),
        'credential_name', 'account ' || credential, 'outcome', 'ok', 'status', 200, 'ms', duration) AS done,
        jsonb_build_object('platform', platform, 'model', model, 'credential_id', pg_temp.id_of(3, credential),
        'outcome', 'overloaded', 'status', 529, 'ms', 80, 'reason', 'Overloaded') AS failed,
        CASE WHEN billed THEN round((output * 15 + tokens * 0.3)::numeric / 1000000, 7) END AS cost
    FROM (
        SELECT *, CASE WHEN billed THEN least(8000 * exp(chance_3 * 3), 180000)::bigint END AS tokens,
            CASE WHEN billed THEN (100 * exp(chance_4 * 4))::bigint END AS output,
            CASE status WHEN 'limited' THEN 'rate_limit_error' WHEN 'error' THEN
                CASE WHEN chance_2 < 0.7 THEN 'overloaded_error' ELSE 'api_error' END END AS error_type
        FROM (
            SELECT *, status IN ('ok', 'aborted') AND kind <> 'count_tokens' AS billed, status <> 'limited' AS served,
                (ARRAY['anthropic', 'anthropic', 'anthropic', 'bedrock', 'vertex', 'gemini', 'openai', 'kiro'])
                    [1 + credential %% 8] AS platform,
                kind = 'messages' AND chance_1 < 0.96 AS stream, chance_2 < 0.04 AS retried,
                (400 * exp(chance_3 * chance_4 * 7))::bigint AS duration,
                CASE WHEN chance_4 < 0.15 THEN 'haiku' WHEN key %% 3 = 0 THEN 'sonnet' ELSE 'opus' END AS slot,
                CASE WHEN chance_4 < 0.15 THEN 'claude-haiku-4-5'
                    ELSE (ARRAY['claude-opus-4-5', 'claude-sonnet-4-5', 'claude-opus-5-5', 'claude-sonnet-5',
                        'claude-fable-5-2', 'gemini-3-pro', 'gpt-5.2-codex', 'claude-opus-4-1'])
                        [1 + floor(8 * pow(pg_temp.share(session * 3 + 1), 2))::int] END AS model
            FROM (
                SELECT *, floor(%(keys)s * pow(pg_temp.share(session), 3))::int AS key,
                    floor(%(credentials)s * pow(pg_temp.share(session + 5), 1.5))::int AS credential,
                    md5('session' || session)::uuid::text AS session_id,
                    CASE WHEN chance_5 < 0.7 THEN 0 ELSE 1 + (chance_5 * 1000)::int %% 6 END AS agent,
                    CASE WHEN chance_6 < 0.945 THEN 'ok' WHEN chance_6 < 0.97 THEN 'error' WHEN chance_6 < 0.985
                        THEN 'aborted' ELSE 'limited' END AS status,
                    CASE WHEN chance_7 < 0.88 THEN 'messages' WHEN chance_7 < 0.9995 THEN 'count_tokens' ELSE 'test'
                    END AS kind
                FROM (
                    SELECT number, at,
                        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
                            || substr(md5(number::text), 1, 3) || 'a' || substr(md5(number::text), 4, 15))::uuid AS id,
                        number / %(block)s * %(at_once)s + floor(%(at_once)s * pow(random(), 1.5))::bigint AS session,
                        random() AS chance_1, random() AS chance_2, random() AS chance_3, random() AS chance_4,
                        random() AS chance_5, random() AS chance_6, random() AS chance_7
                    FROM (
                        SELECT number, '%(begin)s'::timestamptz + number * '%(step)s s'::interval AS at
                        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number
                    ) AS moments
                ) AS chances
            ) AS people
        ) AS models
    ) AS answers
) AS costs
"""


def fill(engine: Engine, rows: int, *, days: int = DAYS, end: datetime | None = None) -> None:
    """Makes so many rows, the last of them begun at `end` (now), and prints how it goes."""
    end = (end or datetime.now(UTC)).replace(microsecond=0)
    begin = end - timedelta(days=days)
    months = partitions.months_from(begin, days // 28 + 2)
    partitions.make(engine, [month for month in months if month.begin <= end])
    started = time.monotonic()
    with engine.begin() as connection:
        _settle(connection)
        for statement in (_PEOPLE % _SIZES).split(";"):
            connection.exec_driver_sql(statement)
    indexes = _drop_indexes(engine)
    for first in range(0, rows, _CHUNK):
        last = min(first + _CHUNK, rows)
        add_rows(engine, first, last, begin, timedelta(days=days) / rows)
        print(f"  {last:>10,} rows, {time.monotonic() - started:6.0f} s", flush=True)
    for name, definition in indexes:
        with engine.begin() as connection:
            _settle(connection)
            connection.exec_driver_sql(definition)
        print(f"  {name}, {time.monotonic() - started:6.0f} s", flush=True)
    for month in partitions.kept(engine):
        with engine.begin() as connection:
            _settle(connection)
            bounds = f"id >= '{first_id(month.begin)}' AND id < '{first_id(month.end)}'"
            connection.exec_driver_sql(adding(f"(SELECT * FROM request_log WHERE {bounds})"))
    print(f"  hourly sums, {time.monotonic() - started:6.0f} s", flush=True)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("request_log", "usage_hours"):
            connection.exec_driver_sql(f"VACUUM ANALYZE {table}")
    print(f"  vacuumed and analysed, {time.monotonic() - started:6.0f} s", flush=True)


def add_rows(engine: Engine, first: int, last: int, begin: datetime, step: timedelta) -> None:
    """Makes the rows of these numbers, without the last; one every `step` from `begin`. Their months must be there."""
    with engine.begin() as connection:
        _settle(connection)
        connection.exec_driver_sql("SELECT setseed(0.5)")
        values = {"first": first, "last": last - 1, "begin": begin.isoformat(), "step": step.total_seconds()}
        connection.exec_driver_sql(_ROWS % (_SIZES | values))


def _settle(connection: Connection) -> None:
    for statement in _FUNCTIONS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").strip().split(";\n"):
        connection.exec_driver_sql(statement.rstrip(";"))
    for name, value in (
        ("synchronous_commit", "off"),
        ("maintenance_work_mem", "'1GB'"),
        ("work_mem", "'512MB'"),
        ("max_parallel_maintenance_workers", "2"),
    ):
        connection.exec_driver_sql(f"SET LOCAL {name} = {value}")


def _drop_indexes(engine: Engine) -> list[tuple[str, str]]:
    """Drops all but the key's: building them afterwards takes a fraction of the time."""
    with engine.begin() as connection:
        found = connection.exec_driver_sql(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'request_log' "
            "AND indexname <> 'pk_request_log'"
        ).all()
        for name, _ in found:
            connection.exec_driver_sql(f"DROP INDEX {name}")
    # Of the parent alone, as PostgreSQL writes it; the months have theirs by it.
    return [(name, definition.replace(" ON ONLY ", " ON ")) for name, definition in found]
