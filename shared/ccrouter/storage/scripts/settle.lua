-- Gives a request's place back, in the queue too, and books what it used.
-- KEYS: as for admit.lua; without counters nothing is booked.
-- ARGV: now ms, id, tokens, nano.
local now, id = tonumber(ARGV[1]), ARGV[2]
redis.call("ZREM", KEYS[3], id)
local known = redis.call("HDEL", KEYS[4], id) == 1
if not known then
  redis.call("ZREM", KEYS[5], id)
  redis.call("HDEL", KEYS[6], id)
end
for at = 7, #KEYS do
  if not known then
    -- Booked before, or its lease ended: the window is read from the database anew.
    redis.call("DEL", KEYS[at])
  elseif redis.call("EXISTS", KEYS[at]) == 1 then
    redis.call("INCRBY", KEYS[at], ARGV[4])
  end
end
if known and tonumber(ARGV[3]) > 0 then
  redis.call("HINCRBY", KEYS[2], math.floor(now / 1000), ARGV[3])
  redis.call("PEXPIRE", KEYS[2], 62000)
end
return known and 1 or 0
