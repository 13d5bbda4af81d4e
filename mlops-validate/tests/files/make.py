"""Makes the Parquet files beside this script: the same awkward table, written by several writers.

    pip install pyarrow polars duckdb
    python make.py

What the tests ask of them is that a report is the same with and without their statistics.
"""

import datetime as dt
import decimal
import math

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 400
utc = dt.timezone.utc


def column(make, null_every=0):
    return [None if null_every and i % null_every == 3 else make(i) for i in range(ROWS)]


nan = math.nan
# The second half of each column is tame: some row groups are provable, others are not.
data = {
    "id": (pa.int64(), column(lambda i: i)),
    "small": (pa.int8(), column(lambda i: i % 100 - 50, 7)),
    "unsigned": (pa.uint32(), column(lambda i: 4_000_000_000 + i if i < 200 else i)),
    "huge": (pa.uint64(), column(lambda i: 2**63 + i if i < 200 else i, 11)),
    "float": (pa.float64(), column(lambda i: nan if i % 50 == 9 and i < 200 else i / 10)),
    "zero": (pa.float64(), column(lambda i: [0.0, -0.0, 1.0][i % 3])),
    "single": (pa.float32(), column(lambda i: nan if i < 100 else float(i), 5)),
    "flag": (pa.bool_(), column(lambda i: i % 2 == 0 if i < 200 else True)),
    "text": (pa.string(), column(lambda i: ["new", "paid", "sent"][i % 3] if i != 17 else "lost", 13)),
    "long": (pa.string(), column(lambda i: "é" * 80 + str(i) if i < 200 else "a" + str(i))),
    "all_null": (pa.string(), column(lambda i: None)),
    "day": (pa.date32(), column(lambda i: dt.date(2024, 1, 1) + dt.timedelta(days=i))),
    "at": (pa.timestamp("us", "UTC"), column(lambda i: dt.datetime(2024, 1, 1, tzinfo=utc) + dt.timedelta(hours=i), 9)),
    "price": (pa.decimal128(9, 2), column(lambda i: decimal.Decimal(i) / 4)),
    "wide": (pa.decimal128(30, 3), column(lambda i: decimal.Decimal(-i) / 8, 17)),
}
schema = pa.schema([pa.field(name, kind) for name, (kind, _) in data.items()])
awkward = pa.table([pa.array(values, kind) for kind, values in data.values()], schema=schema)

small = dict(row_group_size=100)
pq.write_table(awkward, "pyarrow.parquet", compression="zstd", **small)
pq.write_table(awkward, "pyarrow_v1_no_stats.parquet", version="1.0", write_statistics=False, compression="zstd", **small)
pq.write_table(awkward, "pyarrow_some_stats.parquet", write_statistics=["id", "text"], use_dictionary=False, compression="zstd", data_page_version="2.0", **small)
# The dictionary overflows: the first pages are encoded by it, the others are not.
pq.write_table(awkward, "pyarrow_fallback.parquet", dictionary_pagesize_limit=64, data_page_size=128, write_batch_size=16, compression="zstd", **small)
pq.write_table(awkward.drop(["unsigned", "huge"]), "pyarrow_int96.parquet", use_deprecated_int96_timestamps=True, compression="zstd", **small)
nested = pa.table({
    "id": pa.array(range(ROWS)),
    "address": pa.array([None if i % 10 == 3 else {"zip": None if i % 7 == 0 else i, "city": "x" * (i % 4)} for i in range(ROWS)]),
    "tags": pa.array([None if i % 9 == 0 else ["a", "b", "c", None][: i % 5] for i in range(ROWS)]),
})
pq.write_table(nested, "pyarrow_nested.parquet", compression="zstd", **small)
pl.from_arrow(awkward).write_parquet("polars.parquet", row_group_size=100, compression="zstd")
duckdb.sql("copy (select * from awkward) to 'duckdb.parquet' (format parquet, row_group_size 2048, compression zstd)")
