"""Pandera on Polars; what it has no built-in check for is a function of its own."""
from common import *
os.environ["PANDERA_VALIDATION_DEPTH"] = "SCHEMA_AND_DATA"
import pandera, pandera.polars as pa, polars as pl


def schema(customers):
    C, K = pa.Column, pa.Check
    known = K(lambda d: d.lazyframe.select(pl.col(d.key).is_in(customers.implode())), name="fk")
    total = K(lambda d: d.lazyframe.select(pl.col("total").sum().is_between(LOW, HIGH)), name="sum")
    cross = K(lambda d: d.lazyframe.select(pl.col("shipped_at") >= pl.col("created_at")), name="cross", ignore_na=True)
    return pa.DataFrameSchema({
        "order_id": C(pl.Int64, nullable=False, unique=True), "customer_id": C(pl.Int64, known, nullable=False), "sku": C(pl.String, nullable=False), "status": C(pl.String, K.isin(STATUS)),
        "email": C(pl.String, K.str_matches(EMAIL), nullable=True), "quantity": C(pl.Int32, K.in_range(1, 100)), "unit_price": C(pl.Float64, K.in_range(0.01, 10000.0)),
        "discount": C(pl.Float64, K.in_range(0.0, 1.0), nullable=True), "total": C(pl.Float64, total), "created_at": C(pl.Datetime("us")), "shipped_at": C(pl.Datetime("us"), nullable=True),
        "state": C(pl.String)}, checks=[cross])


NAMES = {"rng_quantity": ("quantity", "in_range"), "rng_price": ("unit_price", "in_range"), "rng_discount": ("discount", "in_range"), "set_status": ("status", "isin"),
         "re_email": ("email", "str_matches"), "fk_customer": ("customer_id", "fk"), "sum_total": ("total", "sum"), "nn_order_id": ("order_id", "not_nullable"),
         "nn_customer_id": ("customer_id", "not_nullable"), "nn_sku": ("sku", "not_nullable"), "uniq_order_id": ("order_id", "field_uniqueness")}


def load():
    return pl.read_parquet(ORDERS), pl.read_parquet(CUSTOMERS)["customer_id"]


def run(tables):
    orders, customers = tables
    found = {check: 0 for check in CHECKS}
    try:
        schema(customers).validate(orders, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for error in errors.schema_errors:
            check = getattr(error.check, "name", None) or str(error.check)
            rows = error.failure_cases.lazy().select(pl.len()).collect().item()
            if check == "cross":
                found["cross_ship"] = rows
            for name, (column, kind) in NAMES.items():
                if column == error.schema.name and kind in check:
                    found[name] = rows
    return found


main("pandera polars", pandera.__version__, load, run)
