"""A campaign's latencies as arrays: unpacked from their texts once, and kept so beside the packed tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from iobench.bins import Histogram
from iobench.errors import ResultsError
from iobench.results import tables
from iobench.results.histograms import decode

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Key = tuple[str, str]  # step, operation
_NAME = "bins"
_COLUMNS = ("step", "op", "edges", "counts")


def read(campaign: Path, keep: Callable[[], bool]) -> dict[Key, Histogram]:
    """Return the latencies of each finished step and operation that has any. Raises ResultsError, naming the file.

    Those of many steps are kept as arrays by the way, where `keep`, asked only then, says so.
    """
    steps = tables.steps_of(campaign, "latency")
    kept = tables.read_copy(campaign, _NAME, steps, lambda file, _: file.read())
    found = _from_arrays(kept) if kept is not None else None
    if found is None:
        found = _unpacked(campaign, keep)
        if found and len(steps) >= tables.MANY and keep():
            with suppress(ResultsError):  # it may be where nothing can be written
                tables.write_copy(campaign, _NAME, steps, _as_arrays(found))
    return found


def _unpacked(campaign: Path, keep: Callable[[], bool]) -> dict[Key, Histogram]:
    columns = tables.lists(tables.read(campaign, "latency", ("step", "op", "histogram"), keep))
    keys = zip(columns["step"], columns["op"], strict=True)
    found = zip(keys, decode(columns["histogram"]), strict=True)
    return {key: histogram for key, histogram in found if histogram.operations}


def _as_arrays(found: Mapping[Key, Histogram]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    each = found.values()
    begins = pa.array(np.cumsum([0, *(len(histogram.edges) for histogram in each)]), pa.int32())
    arrays = [np.concatenate([getattr(h, name) for h in each]) for name in ("edges", "counts")]
    texts = [pa.array(list(text), pa.string()) for text in zip(*found, strict=True)]
    return pa.table([*texts, *(pa.ListArray.from_arrays(begins, pa.array(a)) for a in arrays)], _COLUMNS)


def _from_arrays(kept: pa.Table) -> dict[Key, Histogram] | None:
    """Return what `_as_arrays` wrote; None where it is no such table: then the texts are read."""
    import numpy as np
    import pyarrow as pa

    numbers = pa.list_(pa.int64())
    kinds = dict(zip(_COLUMNS, (pa.string(), pa.string(), numbers, numbers), strict=True))
    if {field.name: field.type for field in kept.schema} != kinds or any(column.null_count for column in kept.columns):
        return None
    columns = [kept.column(name).combine_chunks() for name in ("edges", "counts")]
    if any(column.flatten().null_count for column in columns):
        return None
    begins, others = (np.asarray(np.from_dlpack(column.offsets), dtype=np.int32) for column in columns)
    edges, counts = (np.asarray(np.from_dlpack(column.values), dtype=np.int64) for column in columns)
    if not np.array_equal(begins, others) or not _sound(begins, edges, counts):
        return None
    done = np.concatenate(([0], counts.cumsum()))[begins]
    keys = zip(*(tables.lists(kept.select([name]))[name] for name in ("step", "op")), strict=True)
    each = zip(itertools.pairwise(begins.tolist()), np.diff(done).tolist(), strict=True)
    return {key: Histogram(edges[a:b], counts[a:b], n) for key, ((a, b), n) in zip(keys, each, strict=True)}


def _sound(begins: NDArray[np.int32], edges: NDArray[np.int64], counts: NDArray[np.int64]) -> bool:
    """Whether the edges of each histogram rise, from 0 on, and all counts are above 0."""
    rises = edges[1:] > edges[:-1]
    rises[begins[(begins > 0) & (begins < len(edges))] - 1] = True  # from one histogram to the next they need not
    return bool(rises.all() and (edges >= 0).all() and (counts > 0).all())
