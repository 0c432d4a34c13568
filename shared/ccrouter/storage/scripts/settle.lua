-- Gives a request's place back, in the queue too, and books what it used.
-- KEYS: as for admit.lua; without counters nothing is booked.
-- ARGV: now ms, id, tokens, nano.
local now, id = tonumber(ARGV[1]), ARGV[2]
local known = let_go(KEYS[3], KEYS[4], id)
let_go(KEYS[7], KEYS[8], id)
if not known then
  redis.call("ZREM", KEYS[5], id)
  redis.call("HDEL", KEYS[6], id)
end
for at = 9, #KEYS do
  local counter = redis.call("HMGET", KEYS[at], "sum", "mark")
  if not known then
    -- Booked before, or its lease ended: the window is read from the database anew.
    redis.call("HDEL", KEYS[at], "read")
  else
    if counter[1] then redis.call("HINCRBY", KEYS[at], "sum", ARGV[4]) end
    -- Whoever reads the database now has left this request out, and adds it from here.
    if counter[2] and tonumber(counter[2]) >= now then redis.call("HSET", KEYS[at], "b:" .. id, ARGV[4]) end
  end
end
if known and tonumber(ARGV[3]) > 0 then
  redis.call("HINCRBY", KEYS[2], math.floor(now / 1000), ARGV[3])
  redis.call("PEXPIRE", KEYS[2], 62000)
end
return known and 1 or 0
