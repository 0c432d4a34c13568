"""What the log is searched by: an index for each filter, the words of a row, and when it was stored."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_WORDS = """
CREATE FUNCTION log_words(ids text[], said text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $words$
DECLARE
    -- The beginning is enough: a search is for what is on the page, and the end of an answer waits for this.
    row_text text := left(
        lower(replace(array_to_string(ids, ' '), '-', '') || ' ' || array_to_string(said, ' ')), 1000
    );
    words text[];
BEGIN
    IF octet_length(row_text) > length(row_text) THEN
        -- Chinese, Japanese and Korean put no spaces between words: each character is one.
        row_text := regexp_replace(row_text, '([\\u3040-\\u30ff\\u3400-\\u9fff\\uac00-\\ud7af])', ' \\1 ', 'g');
    END IF;
    words := array_remove(regexp_split_to_array(row_text, '[^a-z0-9\\u0080-\\U0010FFFF]+'), '');
    IF length(row_text) > 400 THEN
        -- A word of the index has at most 2046 bytes.
        words := ARRAY(SELECT left(word, 200) FROM unnest(words) AS word);
    END IF;
    RETURN array_to_tsvector(words);
END
$words$
"""
_IDS = "upstream_request_id, session_id, agent_id, parent_agent_id"
_SAID = "requested_model, model, key_name, user_login, client, error_type, error_message"


def upgrade() -> None:
    """An index for rare values; what most rows share is found by the key alone."""
    op.execute(_WORDS)
    op.add_column(
        "request_log",
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.drop_index("ix_request_log_failed", "request_log")
    for name, columns, where in (
        ("platform_id", ["platform", "id"], "platform IS NOT NULL"),
        ("model_id", ["model", "id"], "model IS NOT NULL"),
        ("status_id", ["status", "id"], "status <> 'ok'"),
        ("kind_id", ["kind", "id"], "kind <> 'messages'"),
        ("whole", ["id"], "NOT stream"),
        ("retried", ["id"], "jsonb_array_length(attempts) > 1"),
        ("cost_total", ["cost_total"], "cost_total IS NOT NULL"),
        ("duration_ms", ["duration_ms"], None),
        ("stored_at", ["stored_at"], None),
    ):
        condition = None if where is None else sa.text(where)
        op.create_index(f"ix_request_log_{name}", "request_log", columns, postgresql_where=condition)
    op.execute(
        f"CREATE INDEX ix_request_log_words ON request_log USING gin (log_words(ARRAY[{_IDS}], ARRAY[{_SAID}])) "
        "WITH (fastupdate = off)"
    )
