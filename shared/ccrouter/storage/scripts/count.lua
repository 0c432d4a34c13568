-- Admits a token count: its own limit of requests a minute.
-- KEYS: counts (zset id -> ms). ARGV: now ms, id, limit. Answers the ms to wait, 0 when admitted.
local now, limit = tonumber(ARGV[1]), tonumber(ARGV[3])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - 60000)
if redis.call("ZCARD", KEYS[1]) >= limit then
  return tonumber(redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")[2]) + 60000 - now
end
redis.call("ZADD", KEYS[1], now, ARGV[2])
redis.call("PEXPIRE", KEYS[1], 61000)
return 0
