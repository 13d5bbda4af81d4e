-- What `mlops_core::features::merge_entry` does, for many rows of one table at once, on the server.
--
-- KEYS: the hash of tables, then the key of each row; a key may come twice.
-- ARGV: the table, now (8 bytes, as in an order), when each entry may be forgotten (6 bytes each,
-- milliseconds since 1970, big endian, 0 for never; empty if none may), how many rows an entry may have,
-- then for each row the entry that it makes alone.
-- Returns changed, stale, problem (0 none, 1 no entry, 2 a newer version, 3 too many rows wait) and
-- the row that has it.
--
-- Orders are compared as numbers of 32 bits: `<` of strings follows the server's locale.

local unpack_at, byte, sub = struct.unpack, string.byte, string.sub
local call = redis.call
local now1, now2 = unpack_at('>I4I4', ARGV[2])
local expiries = ARGV[3]
local max_rows = tonumber(ARGV[4])
local clock

local function server_millis()
  if not clock then
    local time = call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

-- Whether the order at `a` of `x` is before the one at `b` of `y`, and whether they are equal.
local function before(x, a, y, b)
  local p1, p2, p3, p4, p5, p6 = unpack_at('>I4I4I4I4I4I4', x, a)
  local q1, q2, q3, q4, q5, q6 = unpack_at('>I4I4I4I4I4I4', y, b)
  if p1 ~= q1 then return p1 < q1, false end
  if p2 ~= q2 then return p2 < q2, false end
  if p3 ~= q3 then return p3 < q3, false end
  if p4 ~= q4 then return p4 < q4, false end
  if p5 ~= q5 then return p5 < q5, false end
  return p6 < q6, p6 == q6
end

-- Whether the time of the order at `a` of `x` has come.
local function come(x, a)
  local p1, p2 = unpack_at('>I4I4', x, a)
  return p1 < now1 or (p1 == now1 and p2 < now2)
end

-- Where each row of an entry begins and ends, or a problem.
local function rows_of(entry)
  local version, count = byte(entry, 1, 2)
  if count and version > 1 then return nil, 2 end
  if not count or version ~= 1 or count == 0 then return nil, 1 end
  local rows, at = {}, 3
  for row = 1, count do
    if at + 3 > #entry then return nil, 1 end
    local size = unpack_at('<I4', entry, at)
    if size < 24 or at + 3 + size > #entry then return nil, 1 end
    rows[row] = { entry, at, at + 3 + size }
    at = at + 4 + size
  end
  return rows
end

-- The entry after a write, and whether it is the new row alone; or nothing, and whether the row is
-- there already; or a problem.
local function merge(old, new)
  -- Nearly always there is one row, and one of the two goes.
  if byte(old, 1) == 1 and byte(old, 2) == 1 and #old >= 30 then
    local size = unpack_at('<I4', old, 3)
    if size >= 24 and 6 + size <= #old then
      local less, equal = before(old, 7, new, 7)
      if equal then return nil, true end
      if less and come(new, 7) then return new, true end
      if not less and come(old, 7) then return nil, false end
    end
  end
  local rows, problem = rows_of(old)
  if not rows then return nil, false, problem end
  local place = 1
  while rows[place] do
    local less, equal = before(old, rows[place][2] + 4, new, 7)
    if equal then return nil, true end
    if not less then break end
    place = place + 1
  end
  table.insert(rows, place, { new, 3, #new })
  local current = 1
  for row = #rows, 1, -1 do
    if come(rows[row][1], rows[row][2] + 4) then
      current = row
      break
    end
  end
  if place < current then return nil, false end
  local count = #rows - current + 1
  if count > max_rows then return nil, false, 3 end
  if count == 1 then return new, true end
  local parts = { string.char(1, count) }
  for row = current, #rows do
    parts[#parts + 1] = sub(rows[row][1], rows[row][2], rows[row][3])
  end
  return table.concat(parts), false
end

local function forget_at(row)
  if expiries == '' then return 0 end
  local high, low = unpack_at('>I2I4', expiries, row * 6 - 5)
  return high * 4294967296 + low
end

local function set(key, entry, millis)
  if millis == 0 then
    call('SET', key, entry)
  else
    call('SET', key, entry, 'PXAT', string.format('%.0f', millis))
  end
end

-- Rows that wait beside the new one keep the entry for as long as they did.
local function set_longer(key, entry, millis)
  local left = call('PTTL', key)
  if left < 0 or millis == 0 then
    call('SET', key, entry)
  elseif millis > server_millis() + left then
    set(key, entry, millis)
  else
    call('SET', key, entry, 'KEEPTTL')
  end
end

-- A row that is written again may live longer now, if the view's ttl has grown.
local function keep_longer(key, millis)
  if millis == 0 then
    call('PERSIST', key)
    return
  end
  local left = call('PTTL', key)
  if left >= 0 and millis > server_millis() + left then
    call('PEXPIREAT', key, string.format('%.0f', millis))
  end
end

call('HSETNX', KEYS[1], ARGV[1], '')
local changed, stale = 0, 0
for row = 1, #KEYS - 1 do
  local key, new = KEYS[row + 1], ARGV[row + 4]
  local old = call('GET', key)
  if not old then
    set(key, new, forget_at(row))
    changed = changed + 1
  else
    local entry, flag, problem = merge(old, new)
    if problem then return { changed, stale, problem, row } end
    if not entry then
      if flag then keep_longer(key, forget_at(row)) end
      stale = stale + 1
    else
      if flag then
        set(key, entry, forget_at(row))
      else
        set_longer(key, entry, forget_at(row))
      end
      changed = changed + 1
    end
  end
end
return { changed, stale, 0, 0 }
