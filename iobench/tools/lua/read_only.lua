-- sysbench's own oltp_read_only, its reports as JSON.
require("oltp_read_only")
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "reports.lua")
