-- The load of bench.js. The arguments are the method, a JSON body or "", a bearer token or "", and the ids that
-- requests append to the path in turn, separated by commas, or "". In the body, COUNTER is a number that differs in
-- each request.
-- Prints the result as JSON on the last line. It does not define response(), because wrk would call it for each
-- request, which slows it down, and request() only for requests that differ.

function init(args)
  wrk.method = args[1]
  if args[2] ~= "" then
    wrk.body = args[2]
    wrk.headers["Content-Type"] = "application/json"
  end
  if args[3] ~= "" then
    wrk.headers["Authorization"] = "Bearer " .. args[3]
  end
  local count = 0
  if args[4] ~= "" then
    local requests = {}
    for id in args[4]:gmatch("[^,]+") do
      requests[#requests + 1] = wrk.format(nil, wrk.path .. id)
    end
    function request()
      count = count + 1
      return requests[count % #requests + 1]
    end
  elseif args[2]:find("COUNTER", 1, true) then
    function request()
      count = count + 1
      return wrk.format(nil, nil, nil, (args[2]:gsub("COUNTER", count)))
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  -- os.clock() is the CPU time of all threads of wrk, in seconds.
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50":%d,"p99":%d,"p999":%d,"timeouts":%d,' ..
      '"connectionErrors":%d,"errorResponses":%d,"clientCpuSeconds":%.3f}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.timeout, errors.connect + errors.read + errors.write, errors.status, os.clock()))
end
