-- Answers the ids of the operations that are kept in view, each followed by what is kept of it.
return redis.call('HGETALL', KEYS[1])
