"""The four tables' columns, written down once, and what a file that is read must have of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from iobench import SCHEMA_VERSION
from iobench.errors import ResultsError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

TABLES = ("samples", "evidence", "series", "latency")
_VERSION_KEY = b"iobench.schema_version"
# The rows that a step has at most: more would be made to fill the memory, which some bytes of Parquet can.
_MOST_ROWS = {"samples": 10_000, "evidence": 1, "series": 5_000_000, "latency": 1_000}


@lru_cache
def schema(table: str) -> pa.Schema:
    """Return the Arrow schema of a table, with the schema version in its metadata."""
    import pyarrow as pa

    text, real, whole = pa.string(), pa.float64(), pa.int64()
    fields: dict[str, list[tuple[str, pa.DataType]]] = {
        "samples": [
            *((name, text) for name in ("campaign", "step", "host", "target", "kind")),
            ("emulated", pa.bool_()),
            *((name, text) for name in ("workload", "op", "params")),
            ("load", whole),
            ("rate", real),
            ("repeat", whole),
            *((name, text) for name in ("metric", "unit", "better")),
            ("value", real),
            ("started_at", pa.timestamp("us", tz="UTC")),
            ("duration_s", real),
            ("verdict", text),
            ("reasons", pa.list_(text)),
            ("tool", text),
        ],
        "evidence": [
            *((name, text) for name in ("campaign", "step")),
            ("tool_bytes_read", whole),
            ("tool_bytes_written", whole),
            ("device_name", text),
            ("device_bytes_read", whole),
            ("device_bytes_written", whole),
            *((name, real) for name in ("device_busy", "client_cpu", "system_cpu")),
            *((name, real) for name in ("queue_depth_asked", "queue_depth_achieved", "rate_cv", "rate_drift")),
            ("background_bytes", whole),
            ("unwritten_bytes", whole),
            ("limited_by", text),
            ("temperature_c", real),
            *((name, whole) for name in ("device_reads", "device_writes")),
            ("cache_hit_ratio", real),
            *((name, whole) for name in ("server_reads", "server_writes", "server_fsyncs")),
            *((name, real) for name in ("server_cpu", "settled_s", "device_reads_per_get")),
        ],
        "series": [("campaign", text), ("step", text), ("t_s", real), ("metric", text), ("value", real)],
        "latency": [
            *((name, text) for name in ("campaign", "step", "op", "histogram")),
            ("count", whole),
        ],
    }
    optional = {"rate", "started_at", "duration_s"} if table == "samples" else None
    required = {"campaign", "step", "limited_by"} if table == "evidence" else None
    columns = [
        pa.field(name, kind, nullable=name in optional if optional is not None else name not in (required or ()))
        for name, kind in fields[table]
    ]
    return pa.schema(columns, metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode()})


def check_rows(table: str, rows: int, path: str | Path) -> None:
    """Raise ResultsError for a step's file of more rows than a step has."""
    if rows > _MOST_ROWS[table]:
        raise ResultsError(
            f"{path} has {rows:,} rows; a step has {_MOST_ROWS[table]:,} at most in {table}: iobench did not write it"
        )


def checked(file: pq.ParquetFile, table: str, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a table, or some of its columns, from an opened file.

    Raises ResultsError for a file of others, of another schema version, or that lacks a column or has it of
    another kind; OSError or ArrowException for one that is torn.
    """
    version = (file.schema_arrow.metadata or {}).get(_VERSION_KEY)
    if version is None:
        raise ResultsError(f"{path} was not written by iobench: it carries no schema version")
    if version != str(SCHEMA_VERSION).encode():
        raise ResultsError(
            f"{path} has schema version {version.decode(errors='replace')}; this iobench reads version "
            f"{SCHEMA_VERSION}: use the iobench that wrote it, or update this one"
        )
    wanted = schema(table)
    names = list(columns or wanted.names)
    if file.schema_arrow.equals(wanted):
        return file.read(columns=names).select(names).replace_schema_metadata(wanted.metadata)
    part = file.read()
    if table == "evidence":
        part = _with_later_columns(part, wanted)
    missing = [name for name in wanted.names if name not in part.schema.names]
    if missing:
        raise ResultsError(f"{path} lacks the columns {', '.join(missing)}; it was not written whole by iobench")
    try:
        return part.select(wanted.names).cast(wanted).select(names)
    except ValueError as error:  # ArrowInvalid is one
        raise ResultsError(f"{path} has columns of another kind than iobench writes: {error}") from error


# Evidence's columns that came later: null in what was kept before.
_LATER = (
    *("device_reads", "device_writes", "cache_hit_ratio", "server_reads", "server_writes", "server_fsyncs"),
    *("server_cpu", "settled_s", "device_reads_per_get"),
)


def _with_later_columns(part: pa.Table, wanted: pa.Schema) -> pa.Table:
    import pyarrow as pa

    for name in _LATER:
        if name not in part.schema.names:
            part = part.append_column(wanted.field(name), pa.nulls(part.num_rows, wanted.field(name).type))
    return part
