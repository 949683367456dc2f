-- The load of soak.js: all kinds of requests in turn, each answer checked. A request carries in its
-- X-Request-Id which status is right, and the service's answer carries the same id.
--
-- Arguments: the rate to keep to, in requests per second; 0 is as many as can be.

local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds, nanoseconds; } bench_time; int clock_gettime(int, bench_time *);")

local MONOTONIC = 1
local SMOKE_TEST = "/api/v1/system/smoke-test"
local KINDS = {
  { 200, "GET", "/system/healthz" },
  { 200, "POST", SMOKE_TEST, '{"ping":"How is the cat today?"}' },
  { 200, "GET", "/api/v1/smoke-test" },
  { 200, "GET", "/smoke-test" },
  { 200, "GET", "/v1/health/smoke-test" },
  { 422, "POST", SMOKE_TEST, '{"ping":1}' },
  { 404, "GET", "/nowhere" },
  { 200, "GET", "/system/readyz" },
}

-- How far behind its schedule it may be and still catch up, in seconds.
local SLACK = 0.1

local time = ffi.new("bench_time")
local rate = 0
local sent = 0
local next_at = 0

-- Globals: done() asks the thread for them.
right = 0
wrong = 0
first_wrong = ""

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  rate = tonumber(args[1])
  -- Without a rate there is no delay at all: wrk looks for the function's name.
  if rate == 0 then delay = nil end
end

-- Requests are given to a schedule at even intervals, whichever connection is free; this is how long
-- the connection has to wait for its turn, in milliseconds.
function delay()
  ffi.C.clock_gettime(MONOTONIC, time)
  local now = tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
  next_at = math.max(next_at + 1 / rate, now - SLACK)
  return math.max(0, math.floor((next_at - now) * 1000))
end

function request()
  local kind = KINDS[sent % #KINDS + 1]
  sent = sent + 1
  return wrk.format(kind[2], kind[3], {
    ["X-Request-Id"] = "expect-" .. kind[1] .. "-" .. sent,
    ["Content-Type"] = kind[4] and "application/json",
  }, kind[4])
end

function response(status, headers)
  local id = headers["X-Request-Id"] or "none"
  if id:match("^expect%-(%d+)%-") == tostring(status) then
    right = right + 1
  else
    wrong = wrong + 1
    if first_wrong == "" then first_wrong = "status " .. status .. ", id " .. id end
  end
end

function done(summary, latency)
  local thread = threads[1]
  local errors = summary.errors
  -- errors.status counts what is meant to be 404 or 422 as well.
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"right":%d,"wrong":%d,"firstWrong":"%s","p50":%d,"p99":%d,"p999":%d,' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d}}\n',
    summary.requests, summary.duration / 1e6,
    thread:get("right"), thread:get("wrong"), thread:get("first_wrong"),
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect, errors.read, errors.write, errors.timeout))
end
