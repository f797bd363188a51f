"""fio-status of ioDrive's driver (not of fio the tester): how to ask it, and pure parsers of its JSON and its text.

The vendor's programs share a prefix with fio. JSON (`-fj`) is {version, adapter: [{…, iomemory: [{…}]}]} and
all its values are texts; its keys are those seen in public tools. The text is of 2.x or 3.x, which differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from iobench.errors import ParseError
from iobench.model import Health
from iobench.tools.said import document, number_of, objects_of, text_of

PROGRAM = "fio-status"
ARGV = (PROGRAM, "-aU", "-fj")
TEXT_ARGV = (PROGRAM, "-a")
# The driver's words for the state of the media; anything else is no health.
_STATES = {"healthy": True, "low metadata": False, "read-only": False, "reduced-write": False, "unknown": None}


def parse(text: str) -> dict[str, Health]:
    """Return the health of each ioMemory by its block device's name (`fioa`). Raises ParseError."""
    return parse_json(text) if text.lstrip().startswith("{") else parse_text(text)


def parse_json(text: str) -> dict[str, Health]:
    """Return the health of each ioMemory in `fio-status -aU -fj`. Raises ParseError."""
    found: dict[str, Health] = {}
    for adapter in objects_of(document(text, PROGRAM), "adapter"):
        for memory in objects_of(adapter, "iomemory"):
            name = _device(memory)
            if name is not None:
                found[name] = _of_json(memory, adapter)
    return found


def _device(memory: dict[str, Any]) -> str | None:
    """The block device: of the memory itself, or of its first virtual storage unit."""
    for holder in (memory, *objects_of(memory, "vsu")):
        for key in ("device_path", "block_device", "attached_device", "device"):
            path = text_of(holder, key)
            if path and re.fullmatch(r"(/dev/)?fio[a-z]+", path):
                return path.removeprefix("/dev/")
    return None


def _of_json(memory: dict[str, Any], adapter: dict[str, Any]) -> Health:
    state = text_of(memory, "reserve_status") or text_of(memory, "media_status")
    endurance = number_of(memory, "rated_writes_remaining_percent")
    reserve = number_of(memory, "reserve_space_pct")
    width = number_of(memory, "pcie_link_lanes") or number_of(adapter, "pcie_link_lanes")
    return Health(
        source=PROGRAM,
        passed=_STATES.get((state or "").lower()),
        state=state,
        model=text_of(memory, "product_name") or text_of(adapter, "product_name"),
        serial=text_of(memory, "serial_number"),
        firmware=text_of(memory, "fw_current_version"),
        temperature_c=number_of(memory, "temp_internal_deg_c"),
        used_share=None if endurance is None else max(0.0, 1 - endurance / 100),
        reserve_share=None if reserve is None else reserve / 100,
        reserve_warning_share=_share(number_of(memory, "reserve_warning_threshold_percent")),
        written_bytes=number_of(memory, "total_physical_bytes_written"),
        read_bytes=number_of(memory, "total_physical_bytes_read"),
        physical_bytes=number_of(memory, "factory_size_bytes"),
        formatted_bytes=number_of(memory, "size_bytes"),
        link_width=None if width is None else int(width),
        link_gtps=number_of(memory, "pcie_link_speed_gtps") or number_of(adapter, "pcie_link_speed_gtps"),
        notes=tuple(_complaints(memory)),
    )


def _complaints(memory: dict[str, Any]) -> Iterator[str]:
    for key in ("current_errors", "current_warnings"):
        said = memory.get(key)
        if said and said not in ("0", "none", "None", []):
            yield f"{key.replace('_', ' ')}: {str(said)[:200]}"


# --- text ----------------------------------------------------------------------------------------------

_LINE_MOST = 300
_DIMM = re.compile(r"^(fct\d+)\s+Attached(?: as '(fio[a-z]+)')?", re.MULTILINE)


def parse_text(text: str) -> dict[str, Health]:
    """Return the health of each attached module in the text of `fio-status -a`. Raises ParseError."""
    if not re.match(r"\s*Found \d+ (ioDrive|ioMemory)", text):
        raise ParseError(f"{PROGRAM}: its text does not begin with what it found: {text.strip()[:80]!r}")
    # A line is short; patterns on one that is not would take the square of its length.
    text = "\n".join(line[:_LINE_MOST] for line in text.splitlines())
    heads = list(_DIMM.finditer(text))
    found = {}
    for head, after in zip(heads, [*heads[1:], None], strict=False):
        part = text[head.end() : after.start() if after else len(text)]
        if head[2]:
            found[head[2]] = _of_text(part)
    return found


def _of_text(part: str) -> Health:
    def first(pattern: str) -> str | None:
        match = re.search(pattern, part, re.MULTILINE)
        return match[1].strip() if match else None

    def number(pattern: str, scale: float = 1) -> float | None:
        said = first(pattern)
        try:
            return None if said is None else float(said.replace(",", "")) * scale
        except ValueError:
            raise ParseError(f"{PROGRAM}: {said[:60]!r} is no number" if said else PROGRAM) from None

    state = first(r"(?:Media status|Reserve space status): ([A-Za-z -]+?)[;\n]")
    left = number(r"Rated PBW: [^,]+, ([\d.]+)% remaining", 0.01)
    width = number(r"link: (\d+) lanes")
    speed = number(r"link: \d+ lanes at ([\d.]+)")
    return Health(
        source=PROGRAM,
        passed=_STATES.get((state or "").lower()),
        state=state,
        model=first(r"^\s+([^\n,]+), Product Number"),
        serial=first(r"Product Number:\S+ SN:\s*(\S+)"),
        firmware=first(r"Firmware v([\d.]+)"),
        temperature_c=number(r"Internal temperature: ([\d.]+)"),
        used_share=None if left is None else max(0.0, 1 - left),
        reserve_share=number(r"Reserves: ([\d.]+)%", 0.01),
        reserve_warning_share=number(r"warn at ([\d.]+)%", 0.01),
        written_bytes=number(r"Physical bytes written\s*: ([\d,]+)"),
        read_bytes=number(r"Physical bytes read\s*: ([\d,]+)"),
        physical_bytes=number(r"([\d.]+) GBytes physical device size", 1e9),
        formatted_bytes=number(r"([\d.]+) GBytes (?:block )?device size", 1e9),
        link_width=None if width is None else int(width),
        link_gtps=speed,
    )


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
