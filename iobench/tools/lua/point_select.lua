-- sysbench's own oltp_point_select, its reports as JSON.
require("oltp_point_select")
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "reports.lua")
