"""A validation as it is kept: what was asked, what its drives were and said of themselves, and the sheet made of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from iobench.analysis import handover, order
from iobench.analysis.handover import MOST_REPEATS, Circumstances, Known, Sheet
from iobench.analysis.order import Order
from iobench.campaign.failed import failures, not_begun
from iobench.campaign.steadying import states_of
from iobench.drives import facts
from iobench.errors import ResultsError, UsageError
from iobench.model import Campaign, ParamValue, Passport
from iobench.results import CampaignFolder, read_text, write_safely
from iobench.runners.steady import PREPARE
from iobench.texts import Told, told_of

# In raw/, so that they go with an archive, and into the hash of the results.
BEFORE, AFTER, SHEET = "raw/drives-before.json", "raw/drives-after.json", "sheet.json"


def asked_of(campaign: Campaign) -> Mapping[str, ParamValue]:
    """Return what a validation was asked. Raises UsageError for a campaign that is none."""
    if campaign.director is None or campaign.director.get("name") != "validate":
        raise UsageError(f"campaign {campaign.id} is no validation: `iobench validate PROFILE -t NAME=PATH` makes one")
    return campaign.director


def order_of(campaign: Campaign) -> Order:
    """Return the profile that a campaign was begun with, as it stood then."""
    asked = asked_of(campaign)
    return order.parse(str(asked["profile"]), str(asked["profile_text"]))


def circumstances(campaign: Campaign) -> Circumstances:
    """Return how a campaign was run."""
    asked = asked_of(campaign)
    left_out, cap, most = asked.get("left_out"), asked.get("max_rate"), asked.get("most")
    return Circumstances(
        look=str(asked["look"]),
        left_out=frozenset(map(str, left_out)) if isinstance(left_out, list) else frozenset(),
        max_rate=float(cap) if isinstance(cap, int | float) else None,
        most=most if isinstance(most, int) else MOST_REPEATS,
        integrity=bool(asked.get("integrity_size")),
    )


def measured_s(folder: CampaignFolder) -> float:
    """Return the seconds that were measured, all finished steps together."""
    seconds = {row["step"]: row["duration_s"] or 0.0 for row in folder.read("samples").to_pylist()}
    return float(sum(seconds.values()))


def look_at_drives(folder: CampaignFolder, passports: Iterable[Passport], name: str) -> None:
    """Keep what the drives are and say of themselves now. Raises ResultsError."""
    write_safely(folder.path / name, json.dumps(facts.of_targets(passports), ensure_ascii=False, indent=1))


def known(folder: CampaignFolder, name: str) -> dict[str, Known]:
    """Return what was kept by `look_at_drives`; nothing where that never happened. Raises ResultsError."""
    path = folder.path / name
    try:
        if not path.is_file():
            return {}
        data: dict[str, Any] = json.loads(read_text(path))
        return {
            target: Known(dict(of["facts"]), {name: told_of(why) for name, why in of.get("unknown", {}).items()})
            for target, of in data.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path} cannot be read: {error}") from error


def sheet(folder: CampaignFolder, profile: tuple[Order, str] | None = None) -> Sheet:
    """Return a campaign judged, by its own profile or by another. Raises UsageError, ResultsError."""
    campaign = folder.campaign()
    asked = asked_of(campaign)
    found = profile[0] if profile is not None else order_of(campaign)
    how = circumstances(campaign)
    before, after = known(folder, BEFORE), known(folder, AFTER)
    drives = {name: (before.get(name), after.get(name)) for name in campaign.passports}
    figures = handover.measured(folder, failures(folder), not_begun(folder), states_of(campaign, folder))
    items = handover.judge(found, list(campaign.passports), figures, drives, how)
    return Sheet(
        campaign=campaign.id,
        profile=found.name,
        title=found.title,
        look=how.look,
        outcome=handover.worst([item.outcome for item in items]),
        items=items,
        changes=handover.changes(drives, order.HEALTH),
        steady=figures.steady,
        digest=folder.digest(),
        left_out=_why_left_out(asked),
        prepared=_prepared(campaign, folder.finished()),
        silent=handover.silent(drives, order.HEALTH),
    )


def _why_left_out(asked: Mapping[str, ParamValue]) -> dict[str, Told]:
    """What was left out and why; of a validation of earlier, which kept it as text, in English."""
    names, texts, said = (asked.get(key) for key in ("left_out", "why_left_out", "why_left_out_said"))
    if isinstance(said, list):
        why = [told_of(json.loads(str(text))) for text in said]
    else:
        why = [str(text) for text in texts] if isinstance(texts, list) else []
    return dict(zip(map(str, names), why, strict=False)) if isinstance(names, list) else {}


def _prepared(campaign: Campaign, finished: Collection[str]) -> dict[str, str]:
    """How each target was prepared, as a key of the texts."""
    done = {step.target for step in campaign.steps if step.work.workload == PREPARE and step.id in finished}
    found = {}
    for name, passport in campaign.passports.items():
        whole = passport.target.kind == "block"
        found[name] = ("device" if whole else "file") if name in done else "none"
    return found
