"""Options that several commands share, and the turning of a runner's parameters into options."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iobench.params import Kind, Param
from iobench.runners import Address
from iobench.texts import LANGUAGES

if TYPE_CHECKING:
    from iobench.campaign.limits import Limits
    from iobench.results import CampaignFolder, Store

# What is asked of every measurement, first in its help.
_FIRST = ("targets", "repeats", "duration", "size", "dry_run")
F = TypeVar("F", bound=Callable[..., Any])
_METAVARS = {Kind.SIZE: "SIZE", Kind.TIME: "TIME", Kind.COUNT: "N", Kind.COUNTS: "N,N…", Kind.PERCENT: "PERCENT"}
_METAVARS |= {Kind.TEXT: "TEXT", Kind.RATE: "RATE"}


class WholeGroup(click.Group):
    """A group whose help lists its commands in the order of use, none of their sentences cut."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were declared."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each command with its whole first paragraph."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, c.get_short_help_str(1000)) for name, c in found if c is not None])


class MeasuringCommand(click.Command):
    """A command whose help has three parts: what is measured and how long, its own options, all others."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the three parts."""
        shared = set(MeasureOptions.__dataclass_fields__) - {"endpoint", "endpoint_secret"}
        parts: dict[str, list[tuple[str, str]]] = {"Options": [], f"Options of {self.name}": [], "More options": []}
        first, own, more = parts.values()
        for option in self.get_params(ctx):
            if not isinstance(option, click.Option) or not (record := option.get_help_record(ctx)):
                continue
            common = option.name in shared or "--help" in option.opts
            (first if option.name in _FIRST else more if common else own).append(record)
        for title, records in parts.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What was said of a measurement besides its workload."""

    targets: tuple[str, ...]
    results: Path
    repeats: int | None
    duration: str | None
    size: str | None
    baseline: str | None
    destroy_data: tuple[str, ...]
    dry_run: bool
    yes: bool
    quiet: bool
    as_json: bool
    log_file: Path | None
    endpoint: str | None = None  # the address of a server that exists, as one more target
    endpoint_secret: Path | None = None
    min_free: str | None = None
    max_temp: float | None = None
    max_write: str | None = None
    max_rate: str | None = None
    idle: bool = False
    began: float = field(default_factory=time.monotonic)  # on the monotonic clock: when the command was given

    @property
    def overrides(self) -> dict[str, object]:
        """The parameters that hold for every workload which knows them."""
        given = (("duration", self.duration), ("size", self.size), ("max_rate", self.max_rate))
        return {name: v for name, v in given if v is not None}

    @property
    def limits(self) -> Limits:
        """What the campaign must not do to the machine. Raises UsageError."""
        from iobench.campaign import limits

        return limits.read(self.min_free, self.max_temp, self.max_write, self.idle)


class GivenPath(click.Path):
    """A path that was given. An empty one is a variable that was not set, not the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with a sentence."""
        if value == "":
            self.fail("it is empty; give a path, or leave the option out", param, ctx)
        return super().convert(value, param, ctx)


def default_results() -> Path:
    """Return where campaigns are kept when --results does not say."""
    return Path(os.environ.get("IOBENCH_RESULTS") or "results")


def results_option(function: F) -> F:
    """Add --results."""
    return click.option(
        "--results",
        type=GivenPath(path_type=Path, file_okay=False),
        default=default_results,
        metavar="DIR",
        help="Where campaigns are kept.  [default: ./results, or IOBENCH_RESULTS]",
    )(function)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(function)


def lang_option(function: F) -> F:
    """Add --lang."""
    return click.option(
        "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="The language of what is shown."
    )(function)


def campaigns_options(function: F) -> F:
    """Add the campaigns to look at, and what holds where there are several: --pool and --anyway."""
    for option in reversed(
        (
            click.argument("campaigns", metavar="[[NAME=]CAMPAIGN]...", nargs=-1),
            click.option("--pool", is_flag=True, help="Take repeats of one drive in several campaigns together."),
            click.option("--anyway", is_flag=True, help="Compare campaigns that did not do the same work, and say so."),
        )
    ):
        function = option(function)
    return function


def open_campaigns(store: Store, said: Sequence[str]) -> tuple[list[CampaignFolder], list[str | None]]:
    """Return campaigns given as `CAMPAIGN` or `NAME=CAMPAIGN` (`latest` where none is), and their names.

    Raises UsageError for one that there is not.
    """
    parts = [text.rpartition("=") for text in said or ("latest",)]
    folders = [store.open(campaign) for _, _, campaign in parts]
    for folder in folders:
        if steps := folder.to_pack():
            click.echo(
                f"campaign {folder.id} has no packed copy, as it did not end in order or was imported: its {steps:,} "
                "steps are read one by one, and packed for the next time",
                err=True,
            )
    return folders, [name or None for name, _, _ in parts]


def going_options(function: F) -> F:
    """Add the options of everything that measures: run, suite and resume."""
    for option in reversed(
        (
            click.option(
                "--destroy-data",
                metavar="ID",
                multiple=True,
                help="Allow a block device to be overwritten; ID is what `iobench targets` prints.",
            ),
            click.option("--yes", is_flag=True, help="Do not ask when a signature is found on such a device."),
            click.option("--baseline", metavar="NAME", help="The target that ratios are taken to."),
            click.option("--quiet", "-q", is_flag=True, help="No progress and no table."),
            json_option,
            click.option(
                "--log-file", type=GivenPath(path_type=Path, dir_okay=False), metavar="FILE", help="Also log to FILE."
            ),
            results_option,
        )
    ):
        function = option(function)
    return function


def limit_options(function: F) -> F:
    """Add the options that keep a machine in service from harm."""
    for option in reversed(
        (
            click.option("--min-free", metavar="SHARE", help="Leave at least so much free, as 10% or 20G."),
            click.option("--max-temp", type=float, metavar="CELSIUS", help="Stop when a drive is hotter."),
            click.option("--max-write", metavar="SIZE", help="Refuse a plan that writes more to a target; stop at it."),
            click.option("--max-rate", metavar="SIZE", help="Bytes a second at most, each direction (fio workloads)."),
            click.option("--idle", is_flag=True, help="Start programs with idle I/O priority."),
        )
    ):
        function = option(function)
    return function


def measure_options(function: F) -> F:
    """Add the options of run and suite."""
    function = going_options(limit_options(function))
    for option in reversed(
        (
            click.option(
                "-t",
                "--target",
                "targets",
                metavar="NAME=PATH",
                multiple=True,
                help="A folder on the drive, or a block device. Default: the drive of the current folder.",
            ),
            click.option(
                "--repeats", type=click.IntRange(1, 1000), metavar="N", help="Rounds.  [default: 5, or the profile's]"
            ),
            click.option(
                "--duration",
                metavar="TIME",
                help="Measured time of a step, as 500ms.  [default: 10s, or the profile's]",
            ),
            click.option("--size", metavar="SIZE", help="Test file, as 256Mi.  [default: 4G or a tenth of the room]"),
            click.option("--dry-run", is_flag=True, help="Show every command and the bytes to be written; run none."),
        )
    ):
        function = option(function)
    return function


def split(kwargs: dict[str, Any]) -> tuple[MeasureOptions, dict[str, object]]:
    """Return the shared options, and what was said of the workload's own parameters."""
    names = MeasureOptions.__dataclass_fields__
    shared = MeasureOptions(**{name: kwargs[name] for name in names if name in kwargs})
    return shared, {k: v for k, v in kwargs.items() if k not in names and v is not None}


def endpoint_options(address: Address | None) -> list[click.Option]:
    """Return the options that name a server which exists, and the file that its password is in."""
    if address is None:
        return []
    found = [click.Option([f"--{address.flag}", "endpoint"], metavar=address.metavar, help=_sentence(address.help))]
    if address.password:
        found.append(
            click.Option(
                [f"--{address.flag}-file", "endpoint_secret"],
                type=GivenPath(path_type=Path, dir_okay=False),
                metavar="FILE",
                help="An option file with its password; else IOBENCH_DSN_PASSWORD, else it is asked for.",
            )
        )
    return found


def from_param(p: Param) -> click.Option:
    """Return the option of a runner's parameter. Its value stays text: the runner's own rules read it."""
    flag = f"--{p.name.replace('_', '-')}"
    if p.kind is Kind.FLAG:
        return click.Option([flag, p.name], is_flag=True, default=None, help=_sentence(p.help))
    if p.kind in (Kind.CHOICE, Kind.CHOICES):
        metavar = ("|" if p.kind is Kind.CHOICE else ",").join(p.choices)
    else:
        metavar = _METAVARS[p.kind]
    return click.Option([flag, p.name], metavar=metavar, help=f"{_sentence(p.help)}{_default(p)}")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _default(p: Param) -> str:
    if p.default is None or p.default in ("", ()):
        return ""
    return f"  [default: {show_default(p)}]"


def show_default(p: Param) -> str:
    """Return a parameter's default as a person would type it."""
    if isinstance(p.default, tuple):
        return ",".join(map(str, p.default))
    if p.kind is Kind.SIZE and isinstance(p.default, int):
        for power, unit in ((30, "Gi"), (20, "Mi"), (10, "Ki")):
            if p.default % (1 << power) == 0:
                return f"{p.default >> power}{unit}"
    if p.kind is Kind.TIME:
        return f"{p.default:g}s"
    return str(p.default)
