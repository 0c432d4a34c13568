-- Admits a request or says which limit stands against it; all or nothing, in one step.
-- KEYS: of the key: requests (zset id -> ms), tokens (hash second -> count), slots, reserved, waiting (zset id -> first
--       asked, ms), polled (hash id -> last asked, ms); of its owner: slots, reserved; then one counter for each spend
--       limit (hash: sum in nano dollars, read: when the database was read, ms).
-- ARGV: now ms, id, lease ms, rpm, tpm, concurrency (0: none), tokens and nano to reserve, may wait (1/0), since when
--       (ms) a counter must have been read; then for each counter its limit in nano, and 1 for one of the owner's.
-- Answers {"ok"}, {"cold", number of the counter}, {"spend", number}, {"held", number}: used up with what is reserved,
-- {"rpm"|"tpm"|"concurrency", ms to wait}.
local now, id, lease = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local rpm, tpm, most, since = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[10])

end_leases(KEYS[3], KEYS[4], now)
end_leases(KEYS[7], KEYS[8], now)

-- Asked once more because the answer was lost on its way: the place is held already.
if redis.call("HEXISTS", KEYS[4], id) == 1 then return {"ok"} end

local held
for number = 1, #KEYS - 8 do
  local counter = redis.call("HMGET", KEYS[8 + number], "sum", "read")
  if not counter[1] or tonumber(counter[2] or 0) < since then return {"cold", number} end
  local sum, limit = tonumber(counter[1]), tonumber(ARGV[9 + 2 * number])
  if sum >= limit then return {"spend", number} end
  local reserved = ARGV[10 + 2 * number] == "1" and KEYS[8] or KEYS[4]
  if sum + tonumber(redis.call("HGET", reserved, "#nano") or 0) >= limit then held = held or number end
end
if held then return {"held", held} end

if rpm > 0 then
  redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - 60000)
  if redis.call("ZCARD", KEYS[1]) >= rpm then
    local oldest = redis.call("ZRANGE", KEYS[1], -rpm, -rpm, "WITHSCORES")
    return {"rpm", tonumber(oldest[2]) + 60000 - now}
  end
end

if tpm > 0 then
  local used, first = tonumber(redis.call("HGET", KEYS[4], "#tokens") or 0), nil
  local seconds = redis.call("HGETALL", KEYS[2])
  for at = 1, #seconds, 2 do
    local second = tonumber(seconds[at])
    if second * 1000 <= now - 60000 then
      redis.call("HDEL", KEYS[2], seconds[at])
    else
      used = used + tonumber(seconds[at + 1])
      if not first or second < first then first = second end
    end
  end
  if used >= tpm then
    return {"tpm", first and (first * 1000 + 61000 - now) or 1000}
  end
end

if most > 0 then
  -- Who has not asked for two seconds no longer waits.
  for _, waiter in ipairs(redis.call("ZRANGE", KEYS[5], 0, -1)) do
    if tonumber(redis.call("HGET", KEYS[6], waiter) or 0) < now - 2000 then
      redis.call("ZREM", KEYS[5], waiter)
      redis.call("HDEL", KEYS[6], waiter)
    end
  end
  local free = most - redis.call("ZCARD", KEYS[3])
  local before = redis.call("ZRANK", KEYS[5], id) or redis.call("ZCARD", KEYS[5])
  if before >= free then
    if ARGV[9] == "1" then
      redis.call("ZADD", KEYS[5], "NX", now, id)
      redis.call("HSET", KEYS[6], id, now)
      redis.call("PEXPIRE", KEYS[5], 60000)
      redis.call("PEXPIRE", KEYS[6], 60000)
    end
    return {"concurrency", 1000}
  end
  redis.call("ZREM", KEYS[5], id)
  redis.call("HDEL", KEYS[6], id)
end

if rpm > 0 then
  redis.call("ZADD", KEYS[1], now, id)
  redis.call("PEXPIRE", KEYS[1], 61000)
end
take(KEYS[3], KEYS[4], id, now + lease, ARGV[7], ARGV[8])
take(KEYS[7], KEYS[8], id, now + lease, ARGV[7], ARGV[8])
return {"ok"}
