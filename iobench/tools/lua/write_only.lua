-- sysbench's own oltp_write_only, its reports as JSON.
require("oltp_write_only")
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "reports.lua")
