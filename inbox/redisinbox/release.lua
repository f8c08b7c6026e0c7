-- Releases a claim. ARGV: token. Answers 1, or 0 when there is nothing of the caller's to release.
local entry = redis.call('HMGET', KEYS[1], 'token', 'done')
if not entry[1] or entry[1] ~= ARGV[1] or entry[2] then
  return 0
end
return redis.call('DEL', KEYS[1])
