"""A drive's temperature, where the kernel publishes one (NVMe, and disks with the drivetemp module)."""

from __future__ import annotations

from pathlib import Path

from iobench.model import Device


def temperature_c(device: Device | None, sys: Path = Path("/sys")) -> float | None:
    """Return the drive's temperature in °C, or None where it is not known."""
    return _read(device, "temp1_input", sys)


def limit_c(device: Device | None, sys: Path = Path("/sys")) -> float | None:
    """Return the temperature in °C from which the drive slows itself down, or None where it is not known."""
    return _read(device, "temp1_max", sys)


def _read(device: Device | None, name: str, sys: Path) -> float | None:
    if device is None:
        return None
    drive = sys / "class" / "block" / (device.parent or device.name) / "device"
    for path in sorted([*drive.glob(f"hwmon/hwmon*/{name}"), *drive.glob(f"hwmon*/{name}")]):
        try:
            return int(path.read_text(encoding="ascii")) / 1000
        except (OSError, ValueError):
            continue
    return None
