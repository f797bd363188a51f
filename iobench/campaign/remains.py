"""What is known of a target's contents after an abort: still as we left it, while nobody else has written there."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Mapping
from typing import Any

from iobench.campaign import journal
from iobench.campaign.site import Site
from iobench.drives.counters import mark, written_since
from iobench.drives.leftovers import Leftover, find_leftovers, remove_leftover
from iobench.model import Campaign, DataFile, Work
from iobench.results import CampaignFolder, read_text, write_safely
from iobench.runners.steady import PREPARE, ROUND

_NAME = "prepared.json"
# What a file system may have written by itself meanwhile: of the prepared file, and at least (bytes).
OTHERS_SHARE, OTHERS_LEAST = 0.01, 4_000_000


def keep(folder: CampaignFolder, target: str, site: Site) -> bool:
    """Keep what is laid out on a target, and how much its device had been written by then; return whether there is any.

    Raises ResultsError, and OSError where the drive does not answer.
    """
    counters = site.counters
    if counters is None or not site.laid_out:
        return False
    site.ground.settle()
    files = [dataclasses.asdict(file) for file in site.laid_out]
    stamps = {name: site.ground.stamp(name) for name in _names(files)}
    if any(stamp is None for stamp in stamps.values()):
        return False
    kept = _read(folder)
    kept[target] = {**mark(counters), "files": files, "stamps": stamps}
    write_safely(folder.path / _NAME, json.dumps(kept, indent=1))
    return True


def take_up(folder: CampaignFolder, target: str, site: Site) -> bool:
    """Return whether a target holds what an earlier run laid out, and if so tell the site; else that is removed."""
    entry = _read(folder).get(target)
    if not isinstance(entry, dict):
        return False
    try:
        files = [DataFile(**file) for file in entry["files"]]
        held = _held(entry, site)
    except (TypeError, LookupError, ValueError):
        return False
    for file in files:
        if held:
            site.ground.take_up(file)
            site.laid_out.add(file)
        else:
            site.ground.remove(file.name)
    return held


def _held(entry: Mapping[str, Any], site: Site) -> bool:
    """Whether a target is as it was kept. A device knows no files, so not a byte may have been written to it."""
    others = written_since(entry, site.counters) if site.counters is not None else None
    size = sum(file["size"] for file in entry["files"])
    if others is None or others > (0 if site.ground.block else max(OTHERS_LEAST, OTHERS_SHARE * size)):
        return False  # whoever wrote may have written anywhere, and used up the drive's spare blocks
    return all(site.ground.stamp(name) == entry["stamps"][name] for name in _names(entry["files"]))


def names(folder: CampaignFolder, target: str) -> tuple[str, ...]:
    """Return the names of the files that an aborted run left on a target, to be looked at before they are believed."""
    entry = _read(folder).get(target)
    files = entry.get("files") if isinstance(entry, dict) else None
    return tuple(_names(files)) if isinstance(files, list) else ()


def preparations(campaign: Campaign, finished: set[str]) -> dict[str, Work | None]:
    """Return, by target, the preparation that was done; None where there were rounds without one."""
    done = [step for step in campaign.steps if step.id in finished]
    rounds: dict[str, Work | None] = {step.target: None for step in done if step.work.workload == ROUND}
    return rounds | {step.target: step.work for step in done if step.work.workload == PREPARE}


def stale(campaign: Campaign, folder: CampaignFolder) -> frozenset[str]:
    """Return the steps that were begun before their target was found changed, and made ready anew."""
    target_of = {step.id: step.target for step in campaign.steps}
    begun: dict[str, set[str]] = {}
    found: set[str] = set()
    for event in journal.read(folder.path):
        if event.get("event") == "started" and event.get("step") in target_of:
            begun.setdefault(target_of[event["step"]], set()).add(event["step"])
        elif event.get("event") == journal.PREPARED_AGAIN:
            found |= begun.pop(str(event.get("target")), set())
    # One that was begun, aborted, and begun again after it is as good as any.
    return frozenset(found - {step for of in begun.values() for step in of})


# --- the folders that stay on targets --------------------------------------------------------------------


def folder_of(campaign: Campaign, target: str) -> str:
    """Return what a target's work folder is called: numbered, since two targets may share a path."""
    return f"{campaign.id}-{list(campaign.passports).index(target) + 1}"


def left(folder: CampaignFolder, campaign: Campaign, but: Collection[str] = ()) -> dict[str, Leftover]:
    """Return, by target, the work folders that an aborted run left for a resume; targets `but` these are looked at."""
    found = {}
    for name, passport in campaign.passports.items():
        if name not in but and passport.target.kind == "file" and names(folder, name):
            for each in find_leftovers(passport.target.path):
                if each.marker.campaign == folder_of(campaign, name):
                    found[name] = each
    return found


def forget(folder: CampaignFolder, campaign: Campaign, but: Collection[str] = ()) -> None:
    """Remove what an aborted run left on targets `but` some: nobody goes on with it. Raises ResultsError."""
    for leftover in left(folder, campaign, but).values():
        remove_leftover(leftover)


def left_bytes(folder: CampaignFolder, campaign: Campaign) -> dict[str, int]:
    """Return how many bytes these folders' files take, by target: room that a resumed campaign has."""
    found = {}
    for target, leftover in left(folder, campaign).items():
        try:
            found[target] = sum(os.lstat(os.path.join(leftover.path, n)).st_size for n in names(folder, target))  # noqa: PTH118
        except OSError:
            continue
    return found


def _names(files: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(file["name"]) for file in files))


def _read(folder: CampaignFolder) -> dict[str, Any]:
    try:
        kept = json.loads(read_text(folder.path / _NAME))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}
