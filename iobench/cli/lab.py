"""`iobench lab`: emulated drives of known speed, up, listed and down."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from iobench import SCHEMA_VERSION
from iobench.cli.options import GivenPath, WholeGroup, json_option
from iobench.cli.tables import Column, print_table
from iobench.errors import InterruptedCampaign
from iobench.units import format_bytes, format_count, format_seconds, format_value, option_read, parse_size

if TYPE_CHECKING:
    from iobench.lab import LabDrive


@click.group(cls=WholeGroup)
def lab() -> None:
    """Emulated drives of known speed, on loop devices."""


@lab.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--size", metavar="SIZE", help="Size of each drive (4G is 4*10^9, 4Gi is 2^32).  [default: 1Gi]")
@click.option("--dir", "directory", type=GivenPath(path_type=Path), help="Folder for the images.")
@click.option("--block", is_flag=True, help="A bare block device, with no file system.")
@json_option
def up(names: tuple[str, ...], size: str | None, directory: Path | None, block: bool, as_json: bool) -> None:
    """Make the drives NAME (all that ship, by default), or those of profile files given by their path."""
    from iobench import lab as drives

    size_bytes = option_read("--size", size, parse_size) if size is not None else None
    with _terminable():
        made = drives.up(names, size_bytes, directory, _say, block=block)
    _print(made, as_json)  # its notes were said while it was made
    if not as_json:
        click.echo("\nMeasure them with:  " + " ".join(f"-t {shlex.quote(drive.target)}" for drive in made))


@lab.command("list")
@click.option("--targets", is_flag=True, help="Only what -t takes of each whole drive, a line each: for scripts.")
@json_option
def list_command(targets: bool, as_json: bool) -> None:
    """List the drives, half-made ones too."""
    from iobench import lab as drives

    found = drives.list_drives()
    if targets:
        for drive in found:
            if drive.state == "up":
                click.echo(drive.target)
        return
    if found or as_json:
        _print(found, as_json)
        for drive in found if not as_json else ():
            for note in drive.emulation.notes:
                _say(f"{drive.name}: {note}")
    else:
        click.echo("no emulated drive is up; make them with `iobench lab up`")


@lab.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
def down(names: tuple[str, ...], as_json: bool) -> None:
    """Take the drives NAME down (all, by default), with their data."""
    from iobench import lab as drives

    gone = drives.down(names, _say)
    if as_json:
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, "down": gone}, ensure_ascii=False))
    elif not gone:
        _say("no emulated drive was up")


def _say(line: str) -> None:
    click.echo(line, err=True)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the making of drives as Ctrl-C does, so that what was made is taken down."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedCampaign("interrupted: the drives that were being made are down again") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(drives: Sequence[LabDrive], as_json: bool) -> None:
    if as_json:
        rows = [{**asdict(drive), "target": drive.target} for drive in drives]
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, "drives": rows}, ensure_ascii=False))
        return
    columns = (
        Column("drive"),
        Column("kind", drop=2, shrinks=True),
        Column("read", right=True),
        Column("write", right=True),
        Column("IOPS r/w", drop=1, right=True),
        Column("latency", drop=3),
        Column("size", drop=4, right=True),
        Column("device", drop=5),
        Column("state"),
    )
    print_table(columns, [_row(drive) for drive in drives])


def _row(drive: LabDrive) -> tuple[str, ...]:
    emulation = drive.emulation
    latency = "-" if emulation.latency_s is None else format_seconds(emulation.latency_s)
    if emulation.parallel is not None:
        latency += f" ({emulation.parallel} at once)"
    return (
        drive.name,
        f"{drive.title} (emulated)",
        _rate(emulation.read_bps),
        _rate(emulation.write_bps),
        f"{_count(emulation.read_iops)} / {_count(emulation.write_iops)}",
        latency,
        format_bytes(drive.size),
        drive.device or "-",
        drive.state,
    )


def _rate(value: float | None) -> str:
    return "no limit" if value is None else format_value(value, "B/s")


def _count(value: float | None) -> str:
    return "no limit" if value is None else format_count(value)
