-- KEYS: the hash of tables. ARGV: the table, the watermark that is expected, the next one (16 bytes).
-- Returns nothing, or the watermark that is there instead.
local found = redis.call('HGET', KEYS[1], ARGV[1])
if not found or found == '' then found = string.rep('\0', 16) end
if found ~= ARGV[2] then return found end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return false
