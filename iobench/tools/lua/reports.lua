-- Prints what sysbench counted as JSON, one line a report, where it would print text for people.
--
-- Each line: {"report":"intermediate"|"cumulative","at":MONOTONIC_CLOCK,"events":N,…}, times in seconds. What is
-- not a number (a mean of nothing) is left out. An intermediate report covers the time since the last one; a
-- cumulative one the time since the checkpoint before it, or since the start.

local ffi = require("ffi")

ffi.cdef([[
typedef struct { long seconds; long nanoseconds; } iobench_time_t;
int clock_gettime(int clock, iobench_time_t *now);
int pthread_setcancelstate(int state, int *old);
]])

local CANCEL_ENABLE, CANCEL_DISABLE = 0, 1 -- as Linux has them
local MONOTONIC = 1 -- nobody sets this clock

local function clock()
   local now = ffi.new("iobench_time_t")
   ffi.C.clock_gettime(MONOTONIC, now)
   return tonumber(now.seconds) + tonumber(now.nanoseconds) / 1e9
end

local function report(kind, stat)
   local parts = { string.format('"report":"%s","at":%.6f', kind, clock()) }
   for name, value in pairs(stat) do
      if value == value and math.abs(value) ~= math.huge then
         parts[#parts + 1] = string.format('"%s":%.17g', name, value)
      end
   end
   -- One write a line: two threads report at the same time, and `print` would mix their lines.
   io.stdout:write("{" .. table.concat(parts, ",") .. "}\n")
   io.stdout:flush() -- what was measured is kept when the server, and sysbench with it, dies
end

function sysbench.hooks.report_intermediate(stat)
   -- sysbench cancels the thread that reports when the time is over, which must not happen in the middle of a line.
   ffi.C.pthread_setcancelstate(CANCEL_DISABLE, nil)
   pcall(report, "intermediate", stat)
   ffi.C.pthread_setcancelstate(CANCEL_ENABLE, nil)
end

function sysbench.hooks.report_cumulative(stat)
   report("cumulative", stat)
end
