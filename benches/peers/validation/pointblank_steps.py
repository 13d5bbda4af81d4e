"""Pointblank on Polars, without copies of the failing rows."""
from common import *
import pointblank as pb, polars as pl


def load():
    return pl.read_parquet(ORDERS), pl.read_parquet(CUSTOMERS)["customer_id"].to_list()


def run(tables):
    orders, customers = tables
    steps = (pb.Validate(orders).col_vals_not_null("order_id").col_vals_not_null("customer_id").col_vals_not_null("sku").rows_distinct(columns_subset="order_id")
             .col_vals_between("quantity", 1, 100).col_vals_between("unit_price", 0.01, 10000.0).col_vals_between("discount", 0.0, 1.0, na_pass=True).col_vals_in_set("status", STATUS)
             .col_vals_regex("email", EMAIL, na_pass=True).col_vals_ge("shipped_at", pb.col("created_at"), na_pass=True).col_vals_in_set("customer_id", customers)
             .specially(lambda d: bool(LOW <= d["total"].sum() <= HIGH)))
    failed = steps.interrogate(collect_extracts=False, collect_tbl_checked=False).n_failed()
    return {check: int(failed[i + 1] or 0) for i, check in enumerate(CHECKS)}


main("pointblank", pb.__version__, load, run)
