"""A deck is often made where there is no Linux: looking at results needs no tool and nothing that only Linux has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from stored import Measured, make_campaign

FIXTURES = Path(__file__).parents[1] / "fixtures"

# Run in a process of its own: what this one has imported already would hide what is missing.
PROGRAM = """
import os, sys
sys.dont_write_bytecode = True
ABSENT = {"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "spwd", "syslog", "readline"}

class Elsewhere:
    def find_spec(self, name, path=None, target=None):
        if name in ABSENT:
            raise ImportError(f"No module named {name!r}")

sys.meta_path.insert(0, Elsewhere())
for name in ABSENT:
    sys.modules.pop(name, None)
for name in ("memfd_create", "posix_fallocate", "sched_getaffinity", "sched_setaffinity", "O_DIRECT", "O_DIRECTORY",
             "pidfd_open", "splice", "preadv", "sendfile", "getresuid", "eventfd"):
    if hasattr(os, name):
        delattr(os, name)

import json
from pathlib import Path
from iobench.cli.main import run

real = Path.read_text
def elsewhere(path, *args, **kwargs):
    if str(path).startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return real(path, *args, **kwargs)
Path.read_text = elsewhere

codes = {}
for argv in json.loads(sys.argv[1]):
    sys.stdout.flush()
    codes[" ".join(argv[:2])] = run(argv)
print("CODES " + json.dumps(codes))
"""


@pytest.mark.slow
def test_results_are_looked_at_without_linux_and_without_a_tool(tmp_path: Path) -> None:
    server, laptop = tmp_path / "server", tmp_path / "laptop"
    for id in ("20250101-000000", "20250102-000000"):
        works = [Measured(name, {"throughput": [1e8, 1.1e8, 1e8]}) for name in ("ssd", "sas")]
        made = make_campaign(server, *works, id=id)
    step = min(made.finished())
    server.rename(laptop)  # copied from elsewhere: no path in it holds any more
    results, out = ["--results", str(laptop)], str(tmp_path / "out")
    new = ["--results", str(tmp_path / "new")]
    archive = str(tmp_path / "x.tar.gz")
    commands = [
        ["list", *results],
        ["show", "latest", *results],
        ["show", "latest", "--json", *results],
        ["compare", "before=20250101", "after=20250102", *results],
        ["explain", "page-cache"],
        ["explain", "latest", step, *results],
        ["report", "--redact", "-o", out, "--format", "html,png,csv,pptx", "--lang", "ja", *results],
        ["export", "latest", "-o", archive, "--redact", *results],
        ["import", archive, *new],
        ["import", f"old={FIXTURES / 'fio-3.33' / 'seq-read.json'}", *new],
        ["import", str(FIXTURES / "dd-9.1" / "write.txt"), *new],
        ["rm", "20250101-000000", "--yes", *results],
    ]
    # Nor is there a home that can be written, which no library is to complain of.
    environment = {"PATH": str(tmp_path / "nothing"), "HOME": "/dev/null", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert "CODES " in done.stdout, done.stderr
    codes = json.loads(done.stdout.rpartition("CODES ")[2])
    assert set(codes.values()) == {0}, (codes, done.stderr)
    assert "atplotlib" not in done.stderr
    assert {path.suffix for path in Path(out).iterdir()} == {".html", ".png", ".csv", ".pptx"}
