-- Completes a claim, with the commands that belong to it. ARGV: token, time to keep in milliseconds, note, then for each command the
-- number of its words and the words.
-- Answers 1, or 0 when the claim is not the caller's any more: then nothing is done.
local entry = redis.call('HMGET', KEYS[1], 'token', 'done')
if not entry[1] or entry[1] ~= ARGV[1] then
  return 0
end
if entry[2] then
  return 1 -- by a try whose answer was lost: the commands are not run again
end
local at = 4
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
redis.call('HSET', KEYS[1], 'done', 1, 'note', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
