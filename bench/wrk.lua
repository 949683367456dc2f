-- The load of bench.js. The arguments are the method, a JSON body or "", and a bearer token or "".
-- Prints the result as JSON on the last line. It defines neither request() nor response(), because
-- wrk would call them for each request, which slows it down.

function init(args)
  wrk.method = args[1]
  if args[2] ~= "" then
    wrk.body = args[2]
    wrk.headers["Content-Type"] = "application/json"
  end
  if args[3] ~= "" then
    wrk.headers["Authorization"] = "Bearer " .. args[3]
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
