"""DuckDB, the suite written by hand as one statement."""
from common import *
import duckdb

SQL = """with twice as (select coalesce(sum(n), 0)::bigint n from (select count(*) n from {orders} group by order_id having count(*) > 1)),
orphans as (select count(*) n from {orders} o anti join {customers} c on o.customer_id = c.customer_id)
select count(*) filter (order_id is null), count(*) filter (customer_id is null), count(*) filter (sku is null), (select n from twice),
 count(*) filter (not quantity between 1 and 100), count(*) filter (not unit_price between 0.01 and 10000.0), count(*) filter (not discount between 0 and 1),
 count(*) filter (not status in ('new', 'paid', 'packed', 'shipped', 'delivered', 'returned')), count(*) filter (not regexp_matches(email, '{email}')),
 count(*) filter (shipped_at < created_at), (select n from orphans), sum(total) from {orders}"""
FOOTERS = """select count(*) filter (order_id is null), count(*) filter (customer_id is null), count(*) filter (status is null),
 count(*) filter (not order_id between 1000000000 and 5294967295), count(*) filter (not customer_id between 1 and 1000000), count(*) filter (not quantity between 0 and 100),
 count(*) - {rows}, (max(created_at) < timestamp '1970-01-01')::int from {orders}"""


def connection():
    c = duckdb.connect()
    c.execute("set threads = 1")
    return c


def ask(c, orders, customers):
    found = dict(zip(CHECKS, c.execute(SQL.format(orders=orders, customers=customers, email=EMAIL)).fetchone()))
    found["sum_total"] = 0 if LOW <= found["sum_total"] <= HIGH else 1
    return found


def load():
    c = connection()
    c.execute(f"create table orders as from read_parquet('{ORDERS}')")
    c.execute(f"create table customers as from read_parquet('{CUSTOMERS}')")
    return c


def from_files():
    return ask(connection(), f"read_parquet('{ORDERS}')", f"read_parquet('{CUSTOMERS}')")


def footers():
    return dict(zip("abcdefgh", connection().execute(FOOTERS.format(rows=N, orders=f"read_parquet('{ORDERS}')")).fetchone()))


main("duckdb", duckdb.__version__, load, lambda c: ask(c, "orders", "customers"), from_files, footers)
