"""Great Expectations on pandas. KEYS=no leaves the foreign key out, which it can only look up in a list."""
from common import *
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["TQDM_DISABLE"] = "1"
import logging, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
import great_expectations as gx, great_expectations.expectations as e, pandas as pd

KEYS = os.environ.get("KEYS") != "no"
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
definition = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")


def expectations(customers):
    asked = {
        "nn_order_id": e.ExpectColumnValuesToNotBeNull(column="order_id"), "nn_customer_id": e.ExpectColumnValuesToNotBeNull(column="customer_id"),
        "nn_sku": e.ExpectColumnValuesToNotBeNull(column="sku"), "uniq_order_id": e.ExpectColumnValuesToBeUnique(column="order_id"),
        "rng_quantity": e.ExpectColumnValuesToBeBetween(column="quantity", min_value=1, max_value=100),
        "rng_price": e.ExpectColumnValuesToBeBetween(column="unit_price", min_value=0.01, max_value=10000.0),
        "rng_discount": e.ExpectColumnValuesToBeBetween(column="discount", min_value=0.0, max_value=1.0), "set_status": e.ExpectColumnValuesToBeInSet(column="status", value_set=STATUS),
        "re_email": e.ExpectColumnValuesToMatchRegex(column="email", regex=EMAIL),
        "cross_ship": e.ExpectColumnPairValuesAToBeGreaterThanB(column_A="shipped_at", column_B="created_at", or_equal=True, ignore_row_if="either_value_is_missing"),
        "sum_total": e.ExpectColumnSumToBeBetween(column="total", min_value=LOW, max_value=HIGH)}
    if KEYS:
        asked["fk_customer"] = e.ExpectColumnValuesToBeInSet(column="customer_id", value_set=customers)
    return asked


def load():
    return pd.read_parquet(ORDERS), pd.read_parquet(CUSTOMERS)["customer_id"].tolist()


def run(tables):
    orders, customers = tables
    asked = expectations(customers)
    batch = definition.get_batch(batch_parameters={"dataframe": orders})
    report = batch.validate(gx.ExpectationSuite(name="s", expectations=list(asked.values())), result_format="SUMMARY")
    found = {}
    for result in report.results:
        config = result.expectation_config
        same = lambda x: x.expectation_type == config.type and all(config.kwargs.get(k) == getattr(x, k, None) for k in ("column", "column_A"))
        check = next(check for check, x in asked.items() if same(x))
        found[check] = (0 if result.success else 1) if check == "sum_total" else result.result.get("unexpected_count")
    return found


without = {} if KEYS else {"without": ["fk_customer"]}
main("great_expectations" + ("" if KEYS else " 11 checks"), gx.__version__, load, run, **without)
