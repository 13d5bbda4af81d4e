"""dataframely: a schema, with good and bad rows apart; the foreign key by the anti join that its collections do."""
from common import *
import dataframely as dy, polars as pl


class Order(dy.Schema):
    order_id = dy.Int64(unique=True, nullable=False)
    customer_id = dy.Int64(nullable=False)
    sku = dy.String(nullable=False)
    status = dy.String(nullable=False, check=lambda e: e.is_in(STATUS))
    email = dy.String(nullable=True, regex=EMAIL)
    quantity = dy.Int32(min=1, max=100)
    unit_price = dy.Float64(min=0.01, max=10000.0)
    discount = dy.Float64(min=0.0, max=1.0, nullable=True)
    total = dy.Float64()
    created_at = dy.Datetime(time_unit="us")
    shipped_at = dy.Datetime(time_unit="us", nullable=True)
    state = dy.String(nullable=False)

    @dy.rule()
    def cross(cls) -> pl.Expr:
        return pl.col("shipped_at") >= pl.col("created_at")

    @dy.rule()
    def sum_total(cls) -> pl.Expr:
        return pl.col("total").sum().is_between(LOW, HIGH)


NAMES = {"order_id|nullability": "nn_order_id", "customer_id|nullability": "nn_customer_id", "sku|nullability": "nn_sku", "order_id|unique": "uniq_order_id", "quantity|min": "rng_quantity",
         "quantity|max": "rng_quantity", "unit_price|min": "rng_price", "unit_price|max": "rng_price", "discount|min": "rng_discount", "discount|max": "rng_discount", "status|check": "set_status",
         "email|regex": "re_email", "cross": "cross_ship", "sum_total": "sum_total"}


def load():
    return pl.read_parquet(ORDERS), pl.read_parquet(CUSTOMERS)


def run(tables):
    orders, customers = tables
    _, bad = Order.filter(orders)
    found = {check: 0 for check in CHECKS}
    for rule, rows in bad.counts().items():
        found[NAMES.get(rule, rule)] = found.get(NAMES.get(rule, rule), 0) + rows
    found["fk_customer"] = orders.lazy().join(customers.lazy(), on="customer_id", how="anti").select(pl.len()).collect().item()
    return found


main("dataframely", dy.__version__, load, run)
