"""Pandera on pandas."""
from common import *
import pandas as pd, pandera, pandera.pandas as pa


def schema(customers):
    C, K = pa.Column, pa.Check
    return pa.DataFrameSchema({
        "order_id": C("int64", nullable=False, unique=True), "customer_id": C("int64", K.isin(customers, name="fk"), nullable=False), "sku": C(nullable=False), "status": C(checks=K.isin(STATUS)),
        "email": C(checks=K.str_matches(EMAIL), nullable=True), "quantity": C("int32", K.in_range(1, 100)), "unit_price": C("float64", K.in_range(0.01, 10000.0)),
        "discount": C("float64", K.in_range(0.0, 1.0), nullable=True), "total": C("float64", K(lambda s: LOW <= s.sum() <= HIGH, name="sum")), "created_at": C("datetime64[us]"),
        "shipped_at": C("datetime64[us]", nullable=True), "state": C()}, checks=[K(lambda d: (d.shipped_at >= d.created_at) | d.shipped_at.isna(), name="cross")])


NAMES = {"rng_quantity": ("quantity", "in_range"), "rng_price": ("unit_price", "in_range"), "rng_discount": ("discount", "in_range"), "set_status": ("status", "isin"),
         "re_email": ("email", "str_matches"), "sum_total": ("total", "sum"), "nn_order_id": ("order_id", "not_nullable"), "nn_customer_id": ("customer_id", "not_nullable"),
         "nn_sku": ("sku", "not_nullable"), "uniq_order_id": ("order_id", "uniqueness")}


def load():
    return pd.read_parquet(ORDERS), pd.read_parquet(CUSTOMERS)["customer_id"].tolist()


def run(tables):
    orders, customers = tables
    found = {check: 0 for check in CHECKS}
    try:
        schema(customers).validate(orders, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for (column, check), rows in errors.failure_cases.groupby(["column", "check"], dropna=False):
            check = str(check)
            if column == "customer_id" and "isin" in check or check == "fk":
                found["fk_customer"] = len(rows)
            if check == "cross":
                found["cross_ship"] = rows["index"].nunique()
            for name, (of, kind) in NAMES.items():
                if of == column and kind in check:
                    found[name] = len(rows)
    return found


main("pandera pandas", pandera.__version__, load, run)
