-- Completes a claim, with the commands that belong to it. ARGV: token, time to keep in milliseconds, note, the number of words of the
-- conditions, the conditions (a key and the value that it must have, empty for none), then for each command the number
-- of its words and the words.
-- Answers 1, 2 when a condition does not hold and nothing is done, or 0 when the claim is not the caller's any more: then nothing is done.
local entry = redis.call('HMGET', KEYS[1], 'token', 'done')
if not entry[1] or entry[1] ~= ARGV[1] then
  return 0
end
if entry[2] then
  return 1 -- by a try whose answer was lost: the commands are not run again
end
local at = 5 + tonumber(ARGV[4])
for i = 5, at - 1, 2 do
  if (redis.call('GET', ARGV[i]) or '') ~= ARGV[i + 1] then
    return 2
  end
end
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
redis.call('HSET', KEYS[1], 'done', 1, 'note', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
