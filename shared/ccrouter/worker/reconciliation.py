"""The chore that writes rows for the requests of processes that died on other machines."""

import logging

from redis.exceptions import RedisError

from ccrouter.services import Services
from ccrouter.storage import logs
from ccrouter.storage.running import forget_sync, left_in_redis

_log = logging.getLogger(__name__)

_AT_ONCE = 500


def reconcile(services: Services) -> None:
    """Stores them; those that have a row already keep it. Processes that share a data folder do this for each other."""
    redis = services.redis_sync
    try:
        for process, rows in left_in_redis(redis):
            for start in range(0, len(rows), _AT_ONCE):
                logs.insert_many(services.engine, rows[start : start + _AT_ONCE])
            forget_sync(redis, process)
            _log.warning("a process gives no sign of life; %d of its requests were under way", len(rows))
    except (RedisError, OSError) as error:
        _log.warning("Redis does not answer (%s); nobody knows now who has died elsewhere", type(error).__name__)
