"""The drives as Prometheus reads them from a textfile collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from iobench.drives.inventory import DriveRecord
from iobench.model import Health

Sample = tuple[Mapping[str, str], float]


def render(drives: Sequence[DriveRecord], healths: Mapping[str, Health]) -> str:
    """Return the metrics' text. What is not known has no line: it is not 0."""
    return "".join(_metrics(drives, healths))


def _metrics(drives: Sequence[DriveRecord], healths: Mapping[str, Health]) -> Iterator[str]:
    labels = {drive.name: {"device": drive.name} for drive in drives}
    yield from _metric("drive_info", "gauge", "A drive of this machine.", [(_about(d, healths), 1.0) for d in drives])
    sizes = [(labels[d.name], float(d.size)) for d in drives]
    yield from _metric("drive_size_bytes", "gauge", "The drive's size.", sizes)
    gauges = (
        ("drive_healthy", "Whether the drive's own health check passed.", "passed"),
        ("drive_temperature_celsius", "The drive's temperature.", "temperature_c"),
        ("drive_endurance_used_ratio", "The share of its rated endurance that is used.", "used_share"),
        ("drive_reserve_ratio", "The share of its spare blocks that is left.", "reserve_share"),
        ("drive_reallocated_blocks", "Blocks or sectors that the drive has replaced.", "reallocated"),
    )
    counters = (
        ("drive_media_errors_total", "Errors that the drive could not correct.", "media_errors"),
        ("drive_written_bytes_total", "Bytes written in the drive's life.", "written_bytes"),
        ("drive_read_bytes_total", "Bytes read in the drive's life.", "read_bytes"),
        ("drive_power_on_seconds_total", "Time the drive has been on.", "power_on_hours"),
    )
    for kind, table in (("gauge", gauges), ("counter", counters)):
        for name, help, field in table:
            scale = 3600 if field == "power_on_hours" else 1
            known = [(labels[d.name], getattr(healths[d.name], field)) for d in drives if d.name in healths]
            yield from _metric(name, kind, help, [(where, scale * v) for where, v in known if v is not None])
    mounts = [
        ({"device": name, "mountpoint": m.mount_point, "fstype": m.filesystem or ""}, m)
        for d in drives
        for name, of in ((d.name, d.mounts), *((part.name, part.mounts) for part in d.partitions))
        for m in of
    ]
    for name, help, field in (
        ("filesystem_size_bytes", "Size of a file system.", "total"),
        ("filesystem_used_bytes", "What is used of a file system.", "used"),
        ("filesystem_free_bytes", "What an ordinary user may still write.", "free"),
        ("filesystem_reserved_bytes", "What is kept for root.", "reserved"),
    ):
        yield from _metric(
            name, "gauge", help, [(w, float(v)) for w, m in mounts if (v := getattr(m, field)) is not None]
        )


def _about(drive: DriveRecord, healths: Mapping[str, Health]) -> dict[str, str]:
    return {
        "device": drive.name,
        "kind": drive.kind,
        "vendor": drive.vendor or "",
        "model": drive.model or "",
        "serial": drive.serial or "",
        "firmware": drive.firmware or "",
        "health_source": (healths[drive.name].source if drive.name in healths else None) or "none",
    }


def _metric(name: str, kind: str, help: str, samples: Sequence[Sample]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP iobench_{name} {help}\n# TYPE iobench_{name} {kind}\n"
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"iobench_{name}{{{inside}}} {float(value)!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
