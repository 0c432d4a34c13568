"""The tables, as the newest migration leaves them: a module for each noun. A test compares the two.

A new table stands in the module of its noun (or a new one) and in the lists below.
"""

from ccrouter.storage.tables.api_keys import api_keys
from ccrouter.storage.tables.audit import audit
from ccrouter.storage.tables.base import metadata
from ccrouter.storage.tables.captures import captures
from ccrouter.storage.tables.chores import chores
from ccrouter.storage.tables.credentials import credentials
from ccrouter.storage.tables.jobs import jobs, result_files, result_parts
from ccrouter.storage.tables.log import ROLLUP_KEY, log_words, request_log, usage_cuts, usage_hours, usage_stale
from ccrouter.storage.tables.people import sessions, users
from ccrouter.storage.tables.prices import price_rows, price_versions
from ccrouter.storage.tables.settings import settings
from ccrouter.storage.tables.sign_ins import sign_ins
from ccrouter.storage.tables.tombstones import tombstones
from ccrouter.storage.tables.webhooks import alerts, webhook_deliveries, webhooks

__all__ = [
    "ROLLUP_KEY",
    "alerts",
    "api_keys",
    "audit",
    "captures",
    "chores",
    "credentials",
    "jobs",
    "log_words",
    "metadata",
    "price_rows",
    "price_versions",
    "request_log",
    "result_files",
    "result_parts",
    "sessions",
    "settings",
    "sign_ins",
    "tombstones",
    "usage_cuts",
    "usage_hours",
    "usage_stale",
    "users",
    "webhook_deliveries",
    "webhooks",
]
