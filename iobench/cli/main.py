"""The `iobench` command: subcommands loaded when they are used, errors told in a sentence."""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import io
import itertools
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from iobench.errors import EXIT_CANNOT_RUN, EXIT_INTERRUPTED, EXIT_TOOL, EXIT_USAGE, IobenchError, near_miss

# name -> (module, attribute, one line for `iobench --help`): the help must not import what it lists.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "doctor": ("doctor", "doctor", "What is installed, what is missing, and what installs it."),
    "targets": ("targets", "targets", "The machine's drives: model, kind, bus, size, file system, ID."),
    "run": ("run", "run", "Run one workload on one or more targets."),
    "suite": ("suite", "suite", "Run a campaign from a profile, as `quick` or `deck`."),
    "resume": ("resume", "resume", "Go on with an interrupted campaign."),
    "list": ("listing", "list_campaigns", "List the stored campaigns."),
    "show": ("listing", "show", "Show a stored campaign: what ran, where, and what came out."),
    "rm": ("listing", "rm", "Delete a stored campaign."),
    "export": ("exporting", "export", "Write a campaign into one archive, to hand on."),
    "import": ("importing", "import_files", "Take in an archive, or make a campaign of fio JSON or dd output."),
    "compare": ("compare", "compare", "Compare drives: median, 95 % interval, ratio to a baseline."),
    "explain": ("explain", "explain", "Why a number was marked, with its figures."),
    "validate": ("validate", "validate", "Is this server what was ordered? Pass, fail or not decided."),
    "report": ("report", "report", "Draw the report: HTML and PNG."),
    "capacity": ("capacity", "capacity", "How much drives hold: space, wear, load within an SLO, how many are needed."),
    "clean": ("clean", "clean", "Remove what a killed run left (only what carries our marker)."),
    "lab": ("lab", "lab", "Emulated drives of known speed."),
}


_LONG = 300  # letters of a word: the path of a file may have as many


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"iobench.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command for an unknown one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"unknown command {args[0]!r}; {near_miss(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from iobench import __version__
    from iobench.cli.doctor import versions

    click.echo(f"iobench {__version__}, Python {sys.version.split()[0]}")
    for name, version in versions():
        click.echo(f"{name}: {version}")
    ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version, and those of the programs it drives.",
)
def iobench() -> None:
    """Storage benchmarks that carry the evidence that they are true.

    \b
      iobench lab up        three emulated drives, to try it on
      iobench suite quick -t iodrive=/mnt/a -t sas=/mnt/b
      iobench report -o deck/

    The manual is in docs/; `iobench COMMAND --help` shows each command's options.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of the contract. No traceback reaches a user."""
    _open_standard_streams()
    # Of a large campaign's half a million objects none is garbage before the end: looking for it took a quarter.
    gc.set_threshold(100_000)
    # Whatever is made at that moment is removed again, as with Ctrl-C. A campaign has handlers of its own.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    sys.exit(run(argv))


def _open_standard_streams() -> None:
    """Open on nothing what the caller closed of the three: else a drive or a result would get its number."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w" if fd else "r", encoding="utf-8", closefd=False))  # noqa: SIM115


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show ✗ or µ gets a question mark, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if argv is None else argv)
    if any("\0" in word for word in words):  # only from Python: no command line can hold one
        _say("what was typed holds a NUL")
        return EXIT_USAGE
    if not asks_for_nagios(words):
        return _run(words, _say)
    # A monitoring system takes 2 for a failure, and only what stands on standard output.
    problems: list[str] = []
    code = _run(words, problems.append)
    if not problems:
        return code
    from iobench.report.verdicts import NAGIOS_UNKNOWN, nagios_unknown

    click.echo(nagios_unknown(problems[0]))
    return NAGIOS_UNKNOWN


def asks_for_nagios(words: Sequence[str]) -> bool:
    """Whether a validation's result goes to a monitoring system, by what was typed: usage errors do so too.

    A line that goes into a file beside other sheets does not.
    """
    if not words or words[0] != "validate" or "--help" in words or "-h" in words:
        return False
    if any(word.startswith(("-o", "--output")) for word in words):
        return False
    given = [after for before, after in itertools.pairwise(words) if before == "--format"]
    given += [word.partition("=")[2] for word in words if word.startswith("--format=")]
    return any("nagios" in text.split(",") for text in given)


def _run(argv: Sequence[str], say: Callable[[str], None]) -> int:
    try:
        result: Any = iobench.main(args=list(argv), prog_name="iobench", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except SystemExit as error:
        # Click leaves by itself after a completion, and with 1 when whoever read our output has gone.
        return 141 if error.code == 1 else 0
    except click.Abort:
        say("stopped")
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        if say is _say:
            shown = io.StringIO()
            error.show(shown)
            click.echo(shortened(shown.getvalue()), err=True, nl=False)
        else:
            say(error.format_message())
        return EXIT_USAGE
    except IobenchError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _let_go_of_output()  # whoever read it has gone, as in `| head`
        return 141
    except OSError as error:
        if error.errno == errno.ENOENT and _current_folder_is_gone():
            say("the current folder was removed; change to another one")
            return EXIT_CANNOT_RUN
        # What we print to has no name. Nor has a file's failed write, but whoever writes one tells of it.
        if (
            error.filename is not None
            or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
            or os.environ.get("IOBENCH_DEBUG")
        ):
            return _unforeseen(error, say)
        _let_go_of_output()
        say(f"the output cannot be written: {error.strerror}")
        return EXIT_TOOL
    except Exception as error:
        return _unforeseen(error, say)


def _current_folder_is_gone() -> bool:
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        return True
    return False


def _let_go_of_output() -> None:
    """Send what is left to be printed nowhere: Python would complain of it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unforeseen(error: Exception, say: Callable[[str], None]) -> int:
    if os.environ.get("IOBENCH_DEBUG"):
        raise error
    say(f"this should not have happened: {type(error).__name__}: {error}. IOBENCH_DEBUG=1 shows where")
    return EXIT_TOOL


def _say(sentence: str) -> None:
    from iobench.cli.tables import clean

    with contextlib.suppress(OSError):  # the terminal may be gone: the exit code still tells
        click.echo(f"iobench: {clean(shortened(sentence))}", err=True)


def shortened(sentence: str) -> str:
    """Return a sentence with each overlong word in it cut: what was typed may be megabytes, and is repeated."""
    return re.sub(rf"(\S{{{_LONG}}})\S+(\S{{20}})", r"\1…\2", sentence)


if __name__ == "__main__":
    main()
