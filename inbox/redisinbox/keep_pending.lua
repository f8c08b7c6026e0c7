-- Keeps operations in view. ARGV: time to keep in milliseconds, the number of ids to forget, the ids, then for each operation its
-- id and what is kept of it.
for i = 3, 2 + tonumber(ARGV[2]) do
  redis.call('HDEL', KEYS[1], ARGV[i])
end
for i = 3 + tonumber(ARGV[2]), #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
