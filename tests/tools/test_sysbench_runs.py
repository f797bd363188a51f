"""The real sysbench with our reports and no database: it always comes to its end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from iobench import proc
from iobench.tools import sysbench

LUA = Path(sysbench.__file__).parent / "lua"
RUNS = 24


@pytest.mark.slow
def test_it_is_not_aborted_while_it_reports(tmp_path: Path) -> None:
    """Cancelled in the midst of a report, a thread takes the program with it: 22 of 100 runs of 6 s ended so."""
    if proc.find("sysbench") is None:
        pytest.skip("needs sysbench")
    script = tmp_path / "idle.lua"
    script.write_text(
        'local ffi = require("ffi")\nffi.cdef("int usleep(unsigned int);")\n'
        f'function event() ffi.C.usleep(20000) end\ndofile("{LUA}/reports.lua")\n'
    )
    argv = ("sysbench", "--time=6", "--report-interval=1", "--report-checkpoints=2", "--histogram=on", str(script))
    running = [
        subprocess.Popen((*argv, "run"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(RUNS)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * RUNS
    for each in said:
        run = sysbench.parse(each, 2)
        # The histogram and the counters are begun anew one after the other: an event may fall between.
        assert abs(sum(run.bins.values()) - run.measured.transactions) <= 1
        assert run.measured.transactions > 0
        assert 2 <= len(run.seconds) <= 5  # the last one may be cut off
