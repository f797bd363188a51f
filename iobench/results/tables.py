"""A campaign's four tables on disk: one file a step, and the packed copy. The only part that opens Parquet."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iobench.errors import ResultsError
from iobench.results.files import replacing, unwritable
from iobench.results.schema import TABLES, check_rows, checked, schema

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Steps = Sequence[tuple[str, int]]  # finished ones, in order, with the size of each one's file in a table
PACKED = "packed"
_PACKED_KEY = b"iobench.packed"
_ENDING = ".parquet"
MANY = 200  # steps: from here on they are packed when they are read, where they are not


def finished(campaign: Path) -> set[str]:
    """Return the ids of the steps that are whole on disk. Raises ResultsError where a table is gone or unreadable."""
    there = [table for table in TABLES if os.path.lexists(campaign / table)]
    if there and len(there) < len(TABLES):
        gone = ", ".join(table for table in TABLES if table not in there)
        raise ResultsError(f"{campaign} has lost its folder {gone}: it is not whole; restore it from its archive")
    return {entry.name.removesuffix(_ENDING) for entry in _entries(campaign, "samples")} if there else set()


def read(
    campaign: Path, table: str, columns: Sequence[str] | None = None, keep: Callable[[], bool] = lambda: True
) -> pa.Table:
    """Return a table, or some of its columns, of the steps that are whole. Raises ResultsError, naming the file.

    A large one that is read from the files of its steps is packed by the way, where `keep`, asked only then, says so.
    """
    import pyarrow as pa

    steps = steps_of(campaign, table)
    packed = read_copy(campaign, table, steps, lambda file, path: checked(file, table, path, columns))
    if packed is not None:
        return packed
    # One after the other: neither Python's threads nor Arrow's own, over a data set, were faster.
    many = len(steps) >= MANY and keep()
    parts = [_read_file(campaign / table / f"{step}{_ENDING}", table, None if many else columns) for step, _ in steps]
    if not parts:
        return schema(table).empty_table().select(columns or schema(table).names)
    whole = pa.concat_tables(parts)
    if many:
        with suppress(ResultsError):  # it may be where nothing can be written
            write_copy(campaign, table, steps, whole)
    return whole.select(columns or whole.schema.names)


def lists(table: pa.Table) -> dict[str, list[Any]]:
    """Return a table's columns as Python's lists. An equal text is one object: the columns have few, many times."""
    return {name: _list(table.column(name).combine_chunks()) for name in table.schema.names}


def _list(column: pa.Array) -> list[Any]:
    import numpy as np
    import pyarrow as pa

    # from_dlpack: to_numpy would load pandas, which takes longer than all the reading.
    if column.null_count or not len(column):
        found: list[Any] = column.to_pylist()
    elif pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        found = [texts[code] for code in np.from_dlpack(coded.indices).tolist()]
    elif pa.types.is_list(column.type):
        items = column.values.to_pylist()
        found = [items[a:b] for a, b in itertools.pairwise(np.from_dlpack(column.offsets).tolist())]
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        found = np.from_dlpack(column).tolist()
    else:
        found = column.to_pylist()
    return found


def write_rows(path: Path, rows: pa.Table) -> None:
    """Write the rows of one step, whole or not at all. Raises ResultsError."""
    import pyarrow.parquet as pq

    try:
        with replacing(path) as temporary:
            pq.write_table(rows, temporary)
    except OSError as error:
        raise unwritable(path, error) from error


def as_bytes(rows: pa.Table) -> bytes:
    """Return the rows of one step as the content of a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def pack(campaign: Path) -> None:
    """Keep each table in one file beside those of the steps, for quick reading. Raises ResultsError.

    The copy says of which files it is; where these are no longer the ones that are there, it is not read.
    """
    for table in TABLES:
        write_copy(campaign, table, steps_of(campaign, table), read(campaign, table, keep=lambda: False))


def write_copy(campaign: Path, name: str, steps: Steps, whole: pa.Table) -> None:
    """Keep a table of finished steps beside the campaign's own, with what it is of. Raises ResultsError."""
    import pyarrow.parquet as pq

    folder = campaign / PACKED
    told = {**(schema("samples").metadata or {}), **(whole.schema.metadata or {}), _PACKED_KEY: _fingerprint(steps)}
    try:
        folder.mkdir(exist_ok=True)
        with replacing(folder / f"{name}{_ENDING}") as temporary:
            pq.write_table(whole.replace_schema_metadata(told), temporary, compression="zstd")
    except OSError as error:
        raise unwritable(folder, error) from error


def read_copy(
    campaign: Path, name: str, steps: Steps, check: Callable[[pq.ParquetFile, Path], pa.Table]
) -> pa.Table | None:
    """Return a table that `write_copy` kept, as `check` reads it; None where there is none, or of other steps."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = campaign / PACKED / f"{name}{_ENDING}"
    if not os.path.isfile(path):  # noqa: PTH113 - which raises nothing
        return None
    try:
        with pq.ParquetFile(path) as file:
            told = (file.schema_arrow.metadata or {}).get(_PACKED_KEY)
            return check(file, path) if told == _fingerprint(steps) else None
    except (OSError, pa.ArrowException, ResultsError):
        return None  # only a copy: the files that it was made of are read instead


def _entries(campaign: Path, table: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(campaign / table) as entries:
            found = [e for e in entries if e.name.endswith(_ENDING) and not e.name.startswith(".")]
        foreign = next((e.name for e in found if not e.name.isprintable() or not e.is_file()), None)
    except OSError as error:
        raise ResultsError(f"{campaign / table} cannot be read: {error.strerror}") from error
    if foreign is not None:
        raise ResultsError(f"{campaign / table} holds {foreign!r}, which iobench did not write; move it away")
    return found


def steps_of(campaign: Path, table: str) -> Steps:
    """Return the finished steps with their files' sizes in a table, in order. Raises ResultsError if one is lost."""
    whole = finished(campaign)
    if not whole:
        return []
    found = ((e.name.removesuffix(_ENDING), e) for e in _entries(campaign, table))
    try:
        steps = sorted((name, entry.stat().st_size) for name, entry in found if name in whole)
    except OSError as error:
        raise ResultsError(f"{error.filename} cannot be read: {error.strerror}") from error
    if len(steps) < len(whole):
        lost = min(whole - {name for name, _ in steps})
        raise ResultsError(
            f"{campaign / table} has lost {len(whole) - len(steps)} of {len(whole)} finished steps, {lost} among them; "
            "restore the campaign from its archive, or delete what samples has of them and run `iobench resume`"
        )
    return steps


def _fingerprint(steps: Steps) -> bytes:
    """Return what a packed copy is of: how many steps, and a hash of their names and sizes."""
    names = hashlib.sha256("".join(f"{name}\n{size}\n" for name, size in steps).encode(errors="surrogateescape"))
    return f"{len(steps)} {names.hexdigest()}".encode()


def _read_file(path: Path, table: str, columns: Sequence[str] | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # read_table would load pandas and look for a data set
            check_rows(table, file.metadata.num_rows, path)
            return checked(file, table, path, columns)
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{path} is not a Parquet file that can be read: {error}") from error
