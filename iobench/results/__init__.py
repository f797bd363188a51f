"""The results folder: the only place where Parquet is read or written. This is its one door.

RESULTS/CAMPAIGN/ holds campaign.json, the four tables with one file a step, and raw/STEP/. Every file is
written beside its place, flushed and renamed; `samples` comes last, so a step whose samples are there is
whole. packed/ has each table once more in one file, for quick reading; the files of the steps are what counts.

| part | what is in it |
|---|---|
| `store` | a results folder, and one campaign in it: made, kept step by step, locked, read, deleted |
| `schema` | the tables' columns, and the check of what is read |
| `tables` | the tables' files and their packed copy: the only part that opens Parquet |
| `latencies` | the latencies of many steps as arrays, kept beside the packed tables |
| `rows` | a step's result as rows |
| `plan` | campaign.json |
| `histograms` | latencies as text, and back |
| `files` | whole or not at all |
"""

from __future__ import annotations

from iobench.results.files import read_text, write_safely
from iobench.results.histograms import decode_bins, encode_bins
from iobench.results.plan import from_json, to_json
from iobench.results.schema import TABLES, schema
from iobench.results.store import TAKEN_IN, CampaignFolder, Digest, Store, in_order, new_id
from iobench.results.tables import PACKED, as_bytes, write_rows

__all__ = [
    "PACKED",
    "TABLES",
    "TAKEN_IN",
    "CampaignFolder",
    "Digest",
    "Store",
    "as_bytes",
    "decode_bins",
    "encode_bins",
    "from_json",
    "in_order",
    "new_id",
    "read_text",
    "schema",
    "to_json",
    "write_rows",
    "write_safely",
]
