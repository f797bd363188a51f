"""smartctl: how to ask a drive for its health, and a pure parser of its JSON (ATA, NVMe and SCSI)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iobench.model import Health
from iobench.tools.said import document, number_of, object_of, objects_of, text_of

# A drive that sleeps is left asleep; `-n` makes smartctl say so and end.
PROGRAM = "smartctl"
OPTIONS = (PROGRAM, "--json", "-i", "-H", "-A", "-n", "standby")
_MIB = 1 << 20
# Attributes by name, since vendors give their numbers other meanings: name -> bytes of one unit.
_WRITTEN = {
    "Total_LBAs_Written": 0,
    "Host_Writes_32MiB": 32 * _MIB,
    "Host_Writes_MiB": _MIB,
    "Host_Writes_GiB": 1 << 30,
}
_READ = {"Total_LBAs_Read": 0, "Host_Reads_32MiB": 32 * _MIB, "Host_Reads_MiB": _MIB, "Host_Reads_GiB": 1 << 30}
# Normalised values of these count down from 100 as an SSD wears.
_LIFE_LEFT = ("Media_Wearout_Indicator", "SSD_Life_Left", "Percent_Lifetime_Remain", "Wear_Leveling_Count")
_RESERVE = ("Available_Reservd_Space",)
_UNCORRECTED = ("Reported_Uncorrect", "Uncorrectable_Error_Cnt", "Offline_Uncorrectable")
_NVME_UNIT = 512_000  # a data unit is a thousand sectors of 512 bytes


def argv(device: str) -> tuple[str, ...]:
    """Return the command that asks the drive /dev/NAME."""
    return (*OPTIONS, device)


def parse(text: str) -> Health:
    """Return what smartctl says of a drive; what it could not get stands in the notes. Raises ParseError."""
    said = document(text, PROGRAM)
    notes = tuple(text_of(message, "string") or "" for message in objects_of(object_of(said, "smartctl"), "messages"))
    passed = object_of(said, "smart_status").get("passed")
    temperature = object_of(said, "temperature")
    common: dict[str, Any] = {
        "source": PROGRAM,
        "passed": passed if isinstance(passed, bool) else None,
        "model": text_of(said, "model_name") or text_of(said, "scsi_model_name"),
        "serial": text_of(said, "serial_number"),
        "firmware": text_of(said, "firmware_version") or text_of(said, "scsi_revision"),
        "temperature_c": number_of(temperature, "current"),
        "temperature_limit_c": number_of(temperature, "drive_trip"),
        "power_on_hours": number_of(object_of(said, "power_on_time"), "hours"),
        "physical_bytes": number_of(said, "nvme_total_capacity"),
        "formatted_bytes": number_of(object_of(said, "user_capacity"), "bytes"),
        "notes": notes,
    }
    own = _nvme(said) or _ata(said) or _scsi(said)
    return Health(**{**common, **{key: value for key, value in own.items() if value is not None}})


def _nvme(said: Mapping[str, Any]) -> dict[str, Any]:
    log = object_of(said, "nvme_smart_health_information_log")
    if not log:
        return {}
    return {
        "temperature_c": number_of(log, "temperature"),
        "media_errors": number_of(log, "media_errors"),
        "warnings": number_of(log, "critical_warning"),
        "used_share": _share(number_of(log, "percentage_used")),
        "reserve_share": _share(number_of(log, "available_spare")),
        "written_bytes": _times(number_of(log, "data_units_written"), _NVME_UNIT),
        "read_bytes": _times(number_of(log, "data_units_read"), _NVME_UNIT),
    }


def _ata(said: Mapping[str, Any]) -> dict[str, Any]:
    table = objects_of(object_of(said, "ata_smart_attributes"), "table")
    if not table:
        return {}
    raw = {text_of(row, "name") or "": number_of(object_of(row, "raw"), "value") for row in table}
    left = {text_of(row, "name") or "": number_of(row, "value") for row in table}
    sector = number_of(said, "logical_block_size") or 512
    life = next((left[name] for name in _LIFE_LEFT if left.get(name) is not None), None)
    reserve = next((left[name] for name in _RESERVE if left.get(name) is not None), None)
    uncorrected = [raw[name] or 0.0 for name in _UNCORRECTED if raw.get(name) is not None]
    return {
        "media_errors": sum(uncorrected) if uncorrected else None,
        "reallocated": raw.get("Reallocated_Sector_Ct"),
        "pending": raw.get("Current_Pending_Sector"),
        "used_share": None if life is None else max(0.0, 1 - life / 100),
        "reserve_share": _share(reserve),
        "written_bytes": _volume(raw, _WRITTEN, sector),
        "read_bytes": _volume(raw, _READ, sector),
    }


def _scsi(said: Mapping[str, Any]) -> dict[str, Any]:
    log = object_of(said, "scsi_error_counter_log")
    counted = [number_of(object_of(log, kind), "total_uncorrected_errors") for kind in ("read", "write", "verify")]
    known = [count for count in counted if count is not None]
    used = number_of(said, "scsi_percentage_used_endurance_indicator")
    return {
        "media_errors": sum(known) if known else None,
        "reallocated": number_of(said, "scsi_grown_defect_list"),
        "used_share": _share(used),
        "written_bytes": _times(number_of(object_of(log, "write"), "gigabytes_processed"), 1e9),
        "read_bytes": _times(number_of(object_of(log, "read"), "gigabytes_processed"), 1e9),
    }


def _volume(raw: Mapping[str, float | None], names: Mapping[str, int], sector: float) -> float | None:
    name = next((name for name in names if raw.get(name) is not None), None)
    return None if name is None else _times(raw[name], names[name] or sector)


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _times(count: float | None, unit: float) -> float | None:
    return None if count is None else count * unit
