"""`iobench doctor`: what is installed and allowed here, what is missing, and the command that installs it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from iobench import SCHEMA_VERSION, proc
from iobench.cli.options import json_option
from iobench.cli.tables import Column, print_table
from iobench.errors import EXIT_CANNOT_RUN, CannotRunError, IobenchError
from iobench.tools import fio

_APT, _DNF = "apt-get", "dnf"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that iobench drives: its name, the package that has it, what it is for.

    `others` are programs that will do instead. `packages` are those of apt and of dnf. `least` is the oldest
    version that does. `needed` is whether
    `iobench run seq` cannot do without it.
    """

    name: str
    packages: Mapping[str, str]
    purpose: str
    version: tuple[str, ...] = ("--version",)
    least: tuple[int, ...] = ()
    needed: bool = False
    others: tuple[str, ...] = ()


def _package(apt: str, dnf: str | None = None) -> Mapping[str, str]:
    return {_APT: apt, _DNF: dnf or apt}


PROGRAMS: tuple[Program, ...] = (
    Program("fio", _package("fio"), "sequential and random I/O", least=fio.OLDEST, needed=True),
    Program("dd", _package("coreutils"), "creating a file, and reading it back"),
    Program("lsblk", _package("util-linux"), "model, serial and bus of a drive"),
    Program("findmnt", _package("util-linux"), "file systems and their space"),
    Program("blkid", _package("util-linux"), "what a block device holds, before it is overwritten"),
    Program("smartctl", _package("smartmontools"), "health of a drive"),
    Program("memcached", _package("memcached"), "a private key-value store (kvs)"),
    Program("losetup", _package("mount", "util-linux"), "emulated drives"),
    Program("mkfs.ext4", _package("e2fsprogs"), "emulated drives", version=("-V",)),
    Program("dbench", _package("dbench"), "a file server's load"),
    Program(
        "ganesha.nfsd",
        _package("nfs-ganesha-vfs"),
        "dbench over NFS; its package also starts a server",
        version=("-v",),
    ),
    Program("nbdkit", _package("nbdkit"), "latency of emulated drives"),
    Program("nbdfuse", _package("libnbd-bin", "nbdfuse"), "latency of emulated drives"),
    Program("sysbench", _package("sysbench"), "transactions on a database"),
    Program(
        "mariadbd",
        _package("mariadb-server-core mariadb-client-core", "mariadb-server"),  # the second has my_print_defaults
        "a private database; mysqld will do",
        others=("mysqld",),
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A program as it is on this machine. None is not known or not there."""

    name: str
    path: str | None
    version: str | None
    ok: bool
    needed: bool
    purpose: str
    package: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that this machine allows, or not, and what that means."""

    name: str
    ok: bool
    detail: str


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Show which programs are installed, which are missing, and what installs them.

    Ends with 3 when something is missing without which `iobench run seq` cannot run.
    """
    manager = package_manager()
    programs = [look(program, manager) for program in PROGRAMS]
    machine = conditions()
    install = install_command(programs, manager)
    ready = all(found.ok for found in programs if found.needed)
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "ready": ready,
            "programs": [asdict(found) for found in programs],
            "install": install,
            "machine": [asdict(condition) for condition in machine],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _show(programs, machine, install, ready)
    ctx.exit(0 if ready else EXIT_CANNOT_RUN)


def look(program: Program, manager: str | None) -> Found:
    """Return how a program is on this machine: where, which version, whether that will do."""
    package = program.packages[manager] if manager else None
    name = next((each for each in (program.name, *program.others) if proc.find(each)), program.name)
    path = proc.find(name)
    if path is None:
        return Found(program.name, None, None, False, program.needed, program.purpose, package)
    try:
        done = proc.capture((name, *program.version), check=False)
        version = parse_version(done.stdout) or parse_version(done.stderr)
    except IobenchError:
        version = None  # it is there and does not start: it will not do
    enough = version is not None and _numbers(version) >= program.least
    return Found(name, path, version, enough, program.needed, program.purpose, package)


def versions() -> list[tuple[str, str]]:
    """Return each program with its version, or with `missing`, for `iobench --version`."""
    found = [look(program, None) for program in PROGRAMS]
    return [(each.name, each.version or ("missing" if each.path is None else "version not known")) for each in found]


def parse_version(text: str) -> str | None:
    """Return the first version number (two parts or more) of a program's own words, else None."""
    match = re.search(r"(?<![\w.])(?:[vV]|Ver |fio-)?([0-9]{1,6}(?:\.[0-9]{1,6}){1,3})", text[:2000], re.ASCII)
    return match[1] if match else None


def package_manager(os_release: Path = Path("/etc/os-release")) -> str | None:
    """Return `apt-get` or `dnf`, whichever this system's own description and its programs agree on."""
    try:
        text = os_release.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    ids = " ".join(re.findall(r'^(?:ID|ID_LIKE)="?([^"\n]*)"?$', text, re.MULTILINE)).split()
    families = {_APT: {"debian", "ubuntu"}, _DNF: {"fedora", "rhel", "centos"}}
    return next((name for name, family in families.items() if family & set(ids) and proc.find(name)), None)


def install_command(programs: list[Found], manager: str | None) -> str | None:
    """Return the command that installs what is missing or too old; None where nothing is."""
    lacking = [found for found in programs if not found.ok]
    if not lacking:
        return None
    if manager is None:
        return f"install with your system's package manager: {' '.join(found.name for found in lacking)}"
    packages = dict.fromkeys(found.package for found in lacking if found.package)
    return f"{'' if os.geteuid() == 0 else 'sudo '}{manager} install -y {' '.join(packages)}"


def conditions() -> list[Condition]:
    """Return what this machine allows."""
    return [_root(), _loops(), _throttle(), _io_uring(), _nfs(), _pdf()]


def _root() -> Condition:
    if os.geteuid() == 0:
        return Condition("root", True, "emulated drives, block devices and private servers can be had")
    return Condition("root", False, "not root: folders can be measured; no emulated drives, no block devices")


def _loops() -> Condition:
    control = Path("/dev/loop-control")
    if not control.exists():
        return Condition("loop devices", False, "no /dev/loop-control (a container?): no emulated drives")
    if not os.access(control, os.R_OK | os.W_OK):
        return Condition("loop devices", False, "/dev/loop-control is not allowed to this user: no emulated drives")
    return Condition("loop devices", True, "emulated drives can be made")


def _throttle() -> Condition:
    from iobench.drives.throttle import find_throttle

    name = "I/O throttle"
    try:
        throttle = find_throttle()
    except CannotRunError as error:
        return Condition(name, False, str(error))
    where = f"cgroup v{throttle.version}, {throttle.path}"
    if not throttle.writable():
        return Condition(name, False, f"{where}: it may not be written by this user")
    holds = "for every process" if throttle.version == 1 else "for what iobench measures"
    return Condition(name, True, f"{where}: emulated drives hold their speed {holds}")


def _io_uring() -> Condition:
    from iobench.campaign import host

    name = "io_uring"
    if proc.find("fio") is None:
        return Condition(name, False, "not known: fio, which would use it, is not installed")
    if host.engine() == "io_uring":
        return Condition(name, True, "fio can use it here")
    return Condition(name, False, "not built into this fio, or not allowed here: fio uses libaio instead")


def _nfs() -> Condition:
    from iobench.servers import nfs

    name = "NFS client"
    if nfs.kernel_client():
        return Condition(name, True, "the kernel can mount what a private NFS server gives out: dbench --nfs")
    why = "the kernel has none, or root or mount.nfs lacks"
    return Condition(name, False, f"{why}: dbench --nfs wants a dbench that speaks NFS itself (--dbench PATH)")


def _pdf() -> Condition:
    from iobench.report import pdf

    if lacking := pdf.missing():
        return Condition("PDF", False, f"{lacking} is missing: no PDF of a report; install {pdf.PACKAGES}")
    return Condition("PDF", True, "a report can be a PDF")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _show(programs: list[Found], machine: list[Condition], install: str | None, ready: bool) -> None:
    columns = (Column("PROGRAM"), Column("FOUND"), Column("WHAT FOR", wraps=True))
    print_table(columns, [(found.name, _state(found), found.purpose) for found in programs])
    click.echo()
    columns = (Column("THIS MACHINE"), Column(""), Column("", wraps=True))
    print_table(columns, [(each.name, "yes" if each.ok else "no", each.detail) for each in machine])
    if install is not None:
        click.echo(f"\nTo install what is missing:\n  {install}")
    if not ready:
        click.echo("\n`iobench run seq` cannot run here yet.")


def _state(found: Found) -> str:
    if found.path is None:
        return "missing"
    if found.ok:
        return found.version or "yes"
    return f"{found.version}, too old" if found.version else "does not start"
