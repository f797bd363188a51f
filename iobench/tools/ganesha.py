"""nfs-ganesha, a user-space NFS server: its configuration, its commands, and whether it listens."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROGRAM = "ganesha.nfsd"
NFS_PORT, MOUNT_PORT = 2049, 20048
READY = "NFS SERVER INITIALIZED"
# It would look for the machine's message bus, and offer itself there.
ENVIRONMENT = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}
_LISTENS = "0A"  # the state LISTEN in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Setup:
    """A server to start: absolute paths. `export` is what it gives out, `state` is for its own files."""

    export: str
    state: str
    log: str


def config(setup: Setup) -> str:
    """Return a configuration that exports one folder over NFS 3 and 4 by TCP, and asks nothing of the machine.

    From version 5 on the server ends where it has no CAP_SYS_RESOURCE, as in a container, unless told otherwise; an
    earlier one warns of a parameter that it does not know.
    Raises ValueError for a path that cannot stand in it.
    """
    for path in (setup.export, setup.state):
        if re.search(r'["\\\n\r]', path) or not path.startswith("/"):
            raise ValueError(f"{path!r} cannot stand in a configuration of nfs-ganesha")
    return f"""\
NFS_CORE_PARAM {{
    Protocols = 3, 4;
    NFS_Port = {NFS_PORT};
    MNT_Port = {MOUNT_PORT};
    Enable_UDP = false;
    Enable_NLM = false;
    Enable_RQUOTA = false;
    fsid_device = true;
    Allow_Set_Io_Flusher_Fail = true;
}}
NFS_KRB5 {{ Active_krb5 = false; }}
NFSv4 {{
    RecoveryBackend = fs;
    RecoveryRoot = "{setup.state}";
    Graceless = true;
    Only_Numeric_Owners = true;
}}
EXPORT {{
    Export_Id = 1;
    Path = "{setup.export}";
    Pseudo = "/export";
    Protocols = 3, 4;
    Transports = TCP;
    SecType = sys;
    Access_Type = RW;
    Squash = No_Root_Squash;
    FSAL {{ Name = VFS; }}
}}
"""


def argv(config_file: str, setup: Setup) -> tuple[str, ...]:
    """Return the command that runs it in the foreground."""
    return (PROGRAM, "-F", "-f", config_file, "-L", setup.log, "-p", f"{setup.state}/pid", "-N", "NIV_EVENT")


def ask() -> tuple[str, ...]:
    """Return the command that asks a server on this network for an answer: NFS's NULL, past the port mapper."""
    return ("rpcinfo", "-n", str(NFS_PORT), "-t", "127.0.0.1", "100003", "3")


def listening(table: str) -> frozenset[int]:
    """Return the TCP ports that a /proc/PID/net/tcp (or tcp6) text shows as open for connections."""
    ports = set()
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and words[3] == _LISTENS and re.fullmatch(r"[0-9A-F]{8,32}:[0-9A-F]{4}", words[1]):
            ports.add(int(words[1].rpartition(":")[2], 16))
    return frozenset(ports)
