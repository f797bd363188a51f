"""The drives and the host as a page names them: each figure that is known, and none that is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iobench.analysis.types import Comparison, DriveSummary
from iobench.model import Campaign, Device, Emulation, Passport, Scalar
from iobench.report import labels
from iobench.report.spec import look_of
from iobench.texts import Words
from iobench.units import format_bytes, format_count, format_seconds, format_value

Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A drive on the page."""

    name: str
    color: str
    tags: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """The machine of a campaign, and the programs it drove."""

    campaign: str
    facts: tuple[tuple[str, str], ...]
    tools: tuple[tuple[str, str], ...]


def sheets(comparison: Comparison, words: Words) -> list[Sheet]:
    """Return the drives in the order of the charts."""
    names = labels.drive_labels(comparison)
    return [_sheet(comparison, i, d, names[d.name], words) for i, d in enumerate(comparison.drives)]


def hosts(campaigns: Sequence[Campaign], called: Mapping[str, str], words: Words) -> list[Host]:
    """Return each campaign's machine and programs; `called` is what each campaign is called, by its id."""
    return [
        Host(
            labels.clean(called.get(c.id, c.id), 100),
            tuple((_host_name(k, words), _host(k, v)) for k, v in _known(c)),
            tuple((labels.clean(k, 40), labels.clean(v, 200)) for k, v in c.tools.items()),
        )
        for c in campaigns
    ]


def _known(campaign: Campaign) -> list[tuple[str, Scalar]]:
    return [(key, value) for key, value in campaign.host.items() if value not in (None, "")]


def _host_name(key: str, words: Words) -> str:
    name = labels.clean(key, 40).replace("_bytes", "").replace("_", " ")
    return words.or_name(f"host.{name}", name)


def _host(key: str, value: Scalar) -> str:
    is_size = key.endswith("_bytes") and isinstance(value, int | float)
    return format_bytes(float(value or 0)) if is_size else labels.clean(value, 200)


def _sheet(comparison: Comparison, index: int, drive: DriveSummary, name: str, words: Words) -> Sheet:
    tags = [words("chart.emulated")] if drive.emulated else []
    tags += [words("chart.baseline")] if drive.name == comparison.baseline else []
    facts: Facts = [("drive.kind", words.or_name(f"drive.kind.{drive.kind}", labels.clean(drive.kind, 60)))]
    passport, notes = drive.passport, []
    if passport is not None:
        facts += _device(passport.device, words) if passport.device else []
        facts += _filesystem(passport)
        if passport.no_device_reason:
            notes.append(words("drive.no-device", reason=labels.clean(words.tell(passport.no_device_reason), 300)))
    else:
        notes.append(words("drive.unknown"))
    if drive.emulation is not None:
        facts += _emulation(drive.emulation)
        if drive.emulation.rate_only:
            notes.append(words("drive.throttle-only" if drive.emulation.throttle_only else "drive.rate-only"))
        notes += [labels.clean(words.tell(note), 500) for note in drive.emulation.notes]
    told = tuple((words(key), text) for key, text in facts if text)
    return Sheet(name, look_of(index, drive.color)[0], tuple(tags), told, tuple(notes))


def _device(device: Device, words: Words) -> Facts:
    bus = labels.clean(device.bus or "", 40)
    if device.rotational:
        bus = words("drive.bus-rotating", bus=bus) if bus else ""
    sectors = [str(size) for size in (device.logical_sector, device.physical_sector) if size is not None]
    return [
        ("drive.model", labels.clean(device.model or "", 120)),
        ("drive.serial", labels.clean(device.serial or "", 120)),
        ("drive.bus", bus),
        ("drive.device", labels.clean(device.name, 80)),
        ("drive.size", format_bytes(device.size_bytes) if device.size_bytes is not None else ""),
        ("drive.sectors", " / ".join(sectors)),
        ("drive.scheduler", labels.clean(device.scheduler or "", 60)),
        ("drive.cache", labels.clean(device.write_cache or "", 60)),
    ]


def _filesystem(passport: Passport) -> Facts:
    room = ""
    if passport.free_bytes is not None and passport.total_bytes is not None:
        room = f"{format_bytes(passport.free_bytes)} / {format_bytes(passport.total_bytes)}"
    return [
        ("drive.filesystem", labels.clean(passport.filesystem or "", 60)),
        ("drive.options", labels.clean(passport.mount_options or "", 200)),
        ("drive.room", room),
    ]


def _emulation(set_to: Emulation) -> Facts:
    rates = [
        (f"drive.{name}", format_value(value, "B/s") if value else "")
        for name, value in (("read_bps", set_to.read_bps), ("write_bps", set_to.write_bps))
    ]
    rates += [
        (f"drive.{name}", f"{format_count(value)} IOPS" if value else "")
        for name, value in (("read_iops", set_to.read_iops), ("write_iops", set_to.write_iops))
    ]
    return [
        ("drive.emulation", labels.clean(set_to.profile, 80)),
        *rates,
        ("drive.latency", format_seconds(set_to.latency_s) if set_to.latency_s else ""),
        ("drive.parallel", str(set_to.parallel) if set_to.parallel else ""),
    ]
