"""Every name that a user chooses is one that a shell would act on, in a real campaign of every workload."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from running import Drive, Iobench, Result

from iobench import runners
from iobench.campaign import programs

Run = Callable[..., Result]
EVIL = "a b;$(touch X)`touch X`|touch X&'\""
LOAD = """\
Deltree "\\clients\\client1" NT_STATUS_OK
Mkdir "\\clients" NT_STATUS_OK
NTCreateX "\\clients\\client1" 0x1 0x2 1 NT_STATUS_OK
Close 1 NT_STATUS_OK
NTCreateX "\\clients\\client1\\file" 0x40 0x2 2 NT_STATUS_OK
WriteX 2 0 65536 65536 NT_STATUS_OK
Flush 2 NT_STATUS_OK
Close 2 NT_STATUS_OK
"""
# The shortest of each workload; a new one has to be added here.
SHORTEST = {
    "seq": 'ops = ["read"]\nduration = "200ms"\nramp = "0"\nsize = "8Mi"',
    "rand": 'ops = ["read"]\nloads = [2]\nduration = "200ms"\nramp = "0"\nsize = "8Mi"',
    "dd": 'ops = ["write"]\nsize = "8Mi"',
    "verify": 'size = "8Mi"',
    "dbench": f"clients = [1]\nduration = \"1s\"\nload_file = '''{EVIL}.load'''",
    "kvs": 'loads = [2]\nrate = 150\nsize = "2Mi"\nduration = "1s"\nramp = "0"',
    "oltp": 'threads = [2]\ntables = 1\nsize = "8Mi"\nduration = "1s"\nramp = "0"',
}


@pytest.mark.slow
def test_a_campaign_of_every_workload_whose_names_are_commands(
    inside: Run, iobench: Iobench, anywhere: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {name for name in runners.registry() if name != "steady"} == set(SHORTEST), "steady is rand, for long"
    missing = {name for name in SHORTEST if programs.lacking(name, {})}
    suite = "\n".join(f'[[workload]]\nrun = "{name}"\n{SHORTEST[name]}' for name in SHORTEST if name not in missing)
    (iobench.home / f"{EVIL}.toml").write_text(f"[suite]\ntitle = '''{EVIL}'''\nrounds = 1\n{suite}\n")
    (iobench.home / f"{EVIL}.load").write_text(LOAD)
    with ExitStack() as stack:
        short = stack.enter_context(tempfile.TemporaryDirectory(prefix="io-", dir="/tmp"))
        places = [Path(short) / "a;$(touch X)'", anywhere.path / EVIL]  # of temporary files, and of the target
        for place in places:
            place.mkdir()
            stack.callback(shutil.rmtree, place)
        patched = stack.enter_context(monkeypatch.context())
        patched.setattr(tempfile, "tempdir", str(places[0]))
        patched.setenv("TMPDIR", str(places[0]))
        target = ("-t", f"{EVIL}={places[1]}")
        said = inside("suite", f"{EVIL}.toml", *target, "--results", EVIL, "--log-file", f"{EVIL}.log", "-q")
        assert said.code == 0, said.err
        again = ("--results", EVIL)
        (campaign,) = inside("list", "--json", *again).json["campaigns"]
        assert campaign["finished"] == campaign["steps"] == len(SHORTEST) - len(missing)
        assert inside("compare", "--baseline", EVIL, *again).code == 0
        assert inside("report", "-o", f"{EVIL}.report", "--format", "html,csv", *again).code == 0
        assert inside("export", campaign["id"], "-o", f"{EVIL}.tar.gz", *again).code == 0
        assert inside("import", f"{EVIL}.tar.gz", "--results", f"{EVIL}.imported").code == 0
        assert inside("clean", str(places[1]), *again).code == 0
        assert [list(place.iterdir()) for place in places] == [[], []]
    assert not list(iobench.home.rglob("X")) and not list(anywhere.path.rglob("X")) and not Path("X").exists()
