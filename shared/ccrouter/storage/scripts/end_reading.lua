-- After a window's spend was read from the database: puts it into the counter. Who comes second changes nothing.
-- KEYS: the counter. ARGV: now ms, since when (ms) the counter counts as read, the sum in nano, when the counter ends
--       (s), then the ids that begin_reading.lua named: the sum leaves them out.
-- Answers 0 where the reading took too long and must begin anew.
local counter = redis.call("HMGET", KEYS[1], "read", "mark")
if counter[1] and tonumber(counter[1]) >= tonumber(ARGV[2]) then return 1 end
if not counter[2] or tonumber(counter[2]) < tonumber(ARGV[1]) then return 0 end
redis.call("HSET", KEYS[1], "sum", ARGV[3], "read", ARGV[1])
for at = 5, #ARGV do
  local booked = redis.call("HGET", KEYS[1], "b:" .. ARGV[at])
  if booked then redis.call("HINCRBY", KEYS[1], "sum", booked) end
end
redis.call("HDEL", KEYS[1], "mark")
for _, field in ipairs(redis.call("HKEYS", KEYS[1])) do
  if field:sub(1, 2) == "b:" then redis.call("HDEL", KEYS[1], field) end
end
redis.call("EXPIREAT", KEYS[1], ARGV[4])
return 1
