-- Admits a request or says which limit stands against it; all or nothing, in one step.
-- KEYS: requests (zset id -> ms), tokens (hash second -> count), slots (zset id -> end of lease in ms),
--       reserved (hash id -> "tokens:nano"), waiting (zset id -> first asked, ms), polled (hash id -> last asked, ms),
--       then one counter of nano dollars per spend limit.
-- ARGV: now ms, id, lease ms, rpm, tpm, concurrency (0: none), tokens to reserve, nano to reserve, may wait (1/0),
--       then the limit of each spend counter in nano.
-- Answers {"ok"}, {"cold", number of the counter}, {"spend", number}, {"rpm"|"tpm"|"concurrency", ms to wait}.
local now, id, lease = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local rpm, tpm, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- Leases that ended belong to processes that died: their slots and reservations come back.
for _, gone in ipairs(redis.call("ZRANGEBYSCORE", KEYS[3], "-inf", now)) do
  redis.call("HDEL", KEYS[4], gone)
  redis.call("ZREM", KEYS[3], gone)
end

-- Asked once more because the answer was lost on its way: the place is held already.
if redis.call("HEXISTS", KEYS[4], id) == 1 then return {"ok"} end

local held_tokens, held_nano = 0, 0
if tpm > 0 or #ARGV > 9 then
  for _, value in ipairs(redis.call("HVALS", KEYS[4])) do
    local tokens, nano = value:match("^(%d+):(%d+)$")
    held_tokens, held_nano = held_tokens + tonumber(tokens), held_nano + tonumber(nano)
  end
end

for number = 1, #KEYS - 6 do
  local settled = redis.call("GET", KEYS[6 + number])
  if not settled then return {"cold", number} end
  if tonumber(settled) + held_nano >= tonumber(ARGV[9 + number]) then return {"spend", number} end
end

if rpm > 0 then
  redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - 60000)
  if redis.call("ZCARD", KEYS[1]) >= rpm then
    local oldest = redis.call("ZRANGE", KEYS[1], -rpm, -rpm, "WITHSCORES")
    return {"rpm", tonumber(oldest[2]) + 60000 - now}
  end
end

if tpm > 0 then
  local used, first = held_tokens, nil
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
redis.call("ZADD", KEYS[3], now + lease, id)
redis.call("HSET", KEYS[4], id, ARGV[7] .. ":" .. ARGV[8])
redis.call("PEXPIRE", KEYS[3], 86400000)
redis.call("PEXPIRE", KEYS[4], 86400000)
return {"ok"}
