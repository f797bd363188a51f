-- sysbench's own oltp_read_write, its reports as JSON.
require("oltp_read_write")
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "reports.lua")
