-- Claims a key. ARGV: token, lease and time to keep in milliseconds.
-- Answers {1, 0} when the claim is held, {2, milliseconds left} when another's lease runs, {3, 0, note} when the key is done.
local entry = redis.call('HMGET', KEYS[1], 'token', 'until', 'lease', 'done', 'note')
if entry[4] then
  return {3, 0, entry[5] or ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- The claim's own token: it was claimed by a try whose answer was lost.
if entry[1] and entry[1] ~= ARGV[1] then
  local left, lease = entry[2] - now, tonumber(entry[3])
  if left > lease then
    -- The clock was set back since: the lease has its own length from now on.
    left = lease
    redis.call('HSET', KEYS[1], 'until', string.format('%d', now + lease))
  end
  if left > 0 then
    return {2, left}
  end
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'until', string.format('%d', now + ARGV[2]), 'lease', ARGV[2])
-- An entry outlives its lease, so that a late holder can complete what nobody has claimed since.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1, 0}
