"""memcached's counters: what was counted around a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iobench.model import Facts


@dataclass(frozen=True, slots=True)
class Counted:
    """A server's counters at a moment."""

    at: float
    stats: Mapping[str, float]


def facts(before: Counted | None, after: Counted, settled_s: float | None) -> Facts:
    """Return what was counted between two moments; a server that was started anew between them counts from 0."""
    first = before.stats if before is not None else {}

    def grown(name: str) -> float | None:
        if name not in first or name not in after.stats:
            return None
        last = after.stats[name]
        return last - first[name] if last >= first[name] else last

    hits, external = grown("get_hits"), grown("get_extstore")
    reads, writes = grown("extstore_objects_read"), grown("extstore_objects_written")
    user, system = grown("rusage_user"), grown("rusage_system")
    seconds = after.at - before.at if before is not None else 0.0
    return Facts(
        cache_hit_ratio=max(0.0, 1 - external / hits) if hits and external is not None else None,
        server_reads=round(reads) if reads is not None else None,
        server_writes=round(writes) if writes is not None else None,
        server_cpu=(user + system) / seconds if user is not None and system is not None and seconds > 0 else None,
        settled_s=settled_s,
    )
