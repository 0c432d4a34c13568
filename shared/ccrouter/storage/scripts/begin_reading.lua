-- Before a window's spend is read from the database: names the requests under way, which must be left out of the sum.
-- Those of them that are booked from here on are kept in the counter as b:<id>, until end_reading.lua adds them.
-- KEYS: the counter (hash: sum, read, mark: until when, in ms, somebody reads), `reserved` of whose spend it is.
-- ARGV: now ms, until when the reading may take (ms), since when (ms) the counter counts as read.
-- Answers false where somebody else has read it meanwhile.
local counter = redis.call("HMGET", KEYS[1], "read", "mark", "sum")
if counter[1] and tonumber(counter[1]) >= tonumber(ARGV[3]) then return false end
if counter[2] and tonumber(counter[2]) < tonumber(ARGV[1]) then
  -- Of a reader that never came to its end.
  for _, field in ipairs(redis.call("HKEYS", KEYS[1])) do
    if field:sub(1, 2) == "b:" then redis.call("HDEL", KEYS[1], field) end
  end
end
redis.call("HSET", KEYS[1], "mark", ARGV[2])
if not counter[3] then redis.call("PEXPIRE", KEYS[1], 60000) end
local ids = {}
for _, field in ipairs(redis.call("HKEYS", KEYS[2])) do
  if field:sub(1, 1) ~= "#" then ids[#ids + 1] = field end
end
return ids
