"""A lab of its own for each test: state and images in a short folder, and proof that nothing is left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from labbench import Bench, lacking

from iobench import lab
from iobench.drives import emulated


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    reason = lacking()
    if reason is not None:
        pytest.skip(reason)
    # Not tmp_path: a socket's path has room for 107 characters.
    base = Path(tempfile.mkdtemp(prefix="iobl-", dir="/var/tmp"))
    bench = Bench(base / "state", base / "images")
    monkeypatch.setenv(emulated.STATE_VARIABLE, str(bench.state))
    try:
        yield bench
    finally:
        lab.down()
        left = bench.leftovers()
        shutil.rmtree(base, ignore_errors=True)
    assert left == []
