-- The load of soak.js: requests of all kinds in turn. wrk does not pass the request to response(), so
-- each request sends the expected status in X-Request-Id, which the service returns.
-- Prints the result as JSON on the last line.
--
-- Arguments: the rate in requests per second, or 0 for as many as possible; a token; the ids of pet profiles, separated
-- by commas.

local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds, nanoseconds; } bench_time;
  int clock_gettime(int, bench_time *);
]])

local CLOCK_MONOTONIC = 1
local SMOKE_TEST = "/api/v1/system/smoke-test"
local PET_PROFILES = "/api/v1/pet-profiles"
-- In bodies, NEW is a name that no other request has. In paths, ID is one of the ids.
local KINDS = {
  { status = 200, method = "GET", path = "/system/healthz" },
  { status = 200, method = "POST", path = SMOKE_TEST, body = '{"ping":"How is the cat today?"}' },
  { status = 200, method = "GET", path = "/api/v1/smoke-test" },
  { status = 200, method = "GET", path = "/smoke-test" },
  { status = 200, method = "GET", path = "/v1/health/smoke-test" },
  { status = 422, method = "POST", path = SMOKE_TEST, body = '{"ping":1}' },
  { status = 404, method = "GET", path = "/nowhere" },
  { status = 200, method = "GET", path = "/system/readyz" },
  { status = 200, method = "GET", path = PET_PROFILES, token = true },
  { status = 200, method = "GET", path = PET_PROFILES .. "/ID", token = true },
  { status = 200, method = "PATCH", path = PET_PROFILES .. "/ID", token = true, body = '{"weight":12.25}' },
  { status = 201, method = "POST", path = PET_PROFILES, token = true, body = '{"name":"NEW","kind":"cat"}' },
  { status = 409, method = "POST", path = PET_PROFILES, token = true, body = '{"name":"Rex 1","kind":"cat"}' },
  { status = 401, method = "GET", path = PET_PROFILES },
}

-- After a pause, requests of up to this many seconds are sent late. Older ones are not sent.
local MAX_LAG_SECONDS = 0.1

local time = ffi.new("bench_time")
local rate = 0
local sent = 0
local next_at = 0
local threads = {}
local authorization
local ids = {}
local started = os.time()

-- done() reads these globals from the thread.
unexpected = 0
first_unexpected = ""

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  rate = tonumber(args[1])
  authorization = "Bearer " .. args[2]
  for id in args[3]:gmatch("[^,]+") do ids[#ids + 1] = id end
  -- wrk sends without delay only if this function does not exist.
  if rate == 0 then delay = nil end
end

-- Returns the milliseconds until the next request is due. Requests are due at even intervals,
-- whichever connection sends them.
function delay()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
  local now = tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
  next_at = math.max(next_at + 1 / rate, now - MAX_LAG_SECONDS)
  return math.max(0, math.floor((next_at - now) * 1000))
end

function request()
  local kind = KINDS[sent % #KINDS + 1]
  sent = sent + 1
  local path = kind.path:gsub("ID$", ids[sent % #ids + 1])
  local body = kind.body and kind.body:gsub("NEW", started .. "-" .. sent)
  return wrk.format(kind.method, path, {
    ["X-Request-Id"] = "expect-" .. kind.status .. "-" .. sent,
    ["Content-Type"] = body and "application/json",
    ["Authorization"] = kind.token and authorization,
  }, body)
end

function response(status, headers)
  local id = headers["X-Request-Id"] or "none"
  if id:match("^expect%-(%d+)%-") ~= tostring(status) then
    unexpected = unexpected + 1
    if first_unexpected == "" then first_unexpected = "status " .. status .. ", id " .. id end
  end
end

function done(summary, latency)
  local thread = threads[1]
  local errors = summary.errors
  -- errors.status is not used, because it counts the expected 404 and 422 responses.
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50":%d,"p99":%d,"timeouts":%d,"errors":%d,' ..
      '"unexpected":%d,"firstUnexpected":"%s"}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.timeout, errors.connect + errors.read + errors.write,
    thread:get("unexpected"), thread:get("first_unexpected")))
end
