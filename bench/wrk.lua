-- The load of bench.js: GET liveness, or with the argument "post" the echo of the smoke test. What
-- came of it is the last line, as JSON. No request() or response(), which would slow wrk down.

function init(args)
  if args[1] == "post" then
    wrk.method = "POST"
    wrk.body = '{"ping":"How is the cat today?"}'
    wrk.headers["Content-Type"] = "application/json"
  end
end

function done(summary, latency)
  local errors = summary.errors
  -- os.clock() is the CPU time of all of wrk's threads, in seconds.
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50":%d,"p99":%d,"p999":%d,"clientCpu":%.3f,' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), os.clock(),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
