-- domain/rate.py's Bucket, in one atomic step and by one clock for the whole fleet.
-- KEYS[1]: the bucket. ARGV: permits a second, most that are kept, wanted.
-- Answers with the permits that are granted, and the microseconds until there is one.
local rate, most, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = tonumber(redis.call('GET', KEYS[1]) or 0)
local missing = math.min(math.max((full_at - now) * rate / 1000000, 0), most)
local granted = math.min(wanted, math.floor(most - missing))
if granted < 1 then
  return {0, math.ceil((missing - most + 1) * 1000000 / rate)}
end
-- Rounded up, so that no more than the rate is ever granted.
local microseconds = math.ceil((missing + granted) * 1000000 / rate)
-- An absent bucket is a full one, so it may go when it is full.
redis.call('SET', KEYS[1], string.format('%.0f', now + microseconds),
  'PX', math.ceil(microseconds / 1000))
return {granted, 0}
