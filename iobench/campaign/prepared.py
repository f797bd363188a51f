"""What is known of a block device's contents after an abort: still ours, while its counter of written bytes says so."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from iobench.campaign.site import Site
from iobench.model import Campaign, DataFile, Work
from iobench.results import CampaignFolder, write_safely

_NAME = "prepared.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
PREPARES = "precondition"


def keep(folder: CampaignFolder, target: str, site: Site) -> None:
    """Keep what is laid out on a block device, and how much had been written to it by then. Raises ResultsError."""
    counters = site.counters
    if not site.ground.block or counters is None or not site.laid_out:
        return
    site.ground.settle()
    kept = _read(folder)
    kept[target] = {
        "boot": _boot(),
        "device": counters.number,
        "written": counters.read().bytes_written,
        "files": [dataclasses.asdict(file) for file in site.laid_out],
    }
    write_safely(folder.path / _NAME, json.dumps(kept, indent=1))


def take_up(folder: CampaignFolder, target: str, site: Site) -> bool:
    """Return whether a device holds what an earlier run laid out, and if so tell the site; a file is always gone."""
    entry = _read(folder).get(target)
    counters = site.counters
    if not site.ground.block or counters is None or not isinstance(entry, dict):
        return False
    now = {"boot": _boot(), "device": counters.number, "written": counters.read().bytes_written}
    if any(entry.get(key) != value for key, value in now.items()):
        return False  # another boot counts from nought, and whoever wrote may have written anywhere
    try:
        files = [DataFile(**file) for file in entry["files"]]
    except (TypeError, LookupError):
        return False
    for file in files:
        site.ground.make(file)
        site.laid_out.add(file)
    return True


def preparations(campaign: Campaign, finished: set[str]) -> dict[str, Work]:
    """Return the preparation that was done on each target."""
    return {s.target: s.work for s in campaign.steps if s.id in finished and s.work.workload == PREPARES}


def _read(folder: CampaignFolder) -> dict[str, Any]:
    try:
        kept = json.loads((folder.path / _NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
