-- Put before each script that deals with requests under way. A request has a lease in `slots` (zset id -> end in ms)
-- and what it may use in `reserved` (hash id -> "tokens:nano"; "#tokens" and "#nano" are their sums).
local function let_go(slots, reserved, id)
  redis.call("ZREM", slots, id)
  local value = redis.call("HGET", reserved, id)
  if not value then return false end
  local tokens, nano = value:match("^(%d+):(%d+)$")
  redis.call("HDEL", reserved, id)
  -- "-0" is no number to Redis.
  if tokens ~= "0" then redis.call("HINCRBY", reserved, "#tokens", "-" .. tokens) end
  if nano ~= "0" then redis.call("HINCRBY", reserved, "#nano", "-" .. nano) end
  return true
end

local function take(slots, reserved, id, until_ms, tokens, nano)
  redis.call("ZADD", slots, until_ms, id)
  if redis.call("HSETNX", reserved, id, tokens .. ":" .. nano) == 1 then
    redis.call("HINCRBY", reserved, "#tokens", tokens)
    redis.call("HINCRBY", reserved, "#nano", nano)
  end
  redis.call("PEXPIRE", slots, 86400000)
  redis.call("PEXPIRE", reserved, 86400000)
end

-- Leases that ended belong to processes that died: their slots and reservations come back.
local function end_leases(slots, reserved, now)
  for _, gone in ipairs(redis.call("ZRANGEBYSCORE", slots, "-inf", now)) do let_go(slots, reserved, gone) end
end

