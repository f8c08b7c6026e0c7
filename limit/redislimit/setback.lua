-- Forgets a key that reaches further into the future than it can: the server's clock was set back. Of several
-- processes that find it, only the first one forgets it. Times are in seconds, and begin in 2017, as redis_rate's.
redis.replicate_commands()
local now = redis.call("TIME")
now = (now[1] - 1483228800) + now[2] / 1000000
local reached = tonumber(redis.call("GET", KEYS[1]) or 0)
if reached - now > tonumber(ARGV[1]) then
  return redis.call("DEL", KEYS[1])
end
return 0
