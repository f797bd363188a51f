"""Fixtures that several folders of tests share."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import stored
from hypothesis import settings

from iobench.results import CampaignFolder

# How long an example takes on a busy machine says nothing of what is tested.
settings.register_profile("iobench", deadline=None)
settings.load_profile("iobench")

# Where the tests are started in the background these may be ignored, which programs take over from us. Not a handler.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, lambda *_: None)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture
def make_campaign(tmp_path: Path) -> Callable[..., CampaignFolder]:
    """Store a campaign of `stored.Measured` works in tmp_path/results."""
    return partial(stored.make_campaign, tmp_path / "results")
