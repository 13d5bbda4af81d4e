"""Makes the JSON files beside this script of the test definitions of Great Expectations.

    python3 convert.py GREAT_EXPECTATIONS     # a source tree, as its sdist unpacks

Kept are the cases that run on pandas and, of expectations that only SQL databases know (LIKE), those
of PostgreSQL. Of a case: its arguments, whether it succeeds, the rows that fail. Data of columns that
no case names is left out. Instants are written as ISO 8601. Only data is taken, no code.
"""

import datetime
import glob
import json
import os
import sys

# They compare with weights or parameters of a distribution, given in the suite; none has a counterpart.
NO_COUNTERPART = {
    "expect_column_kl_divergence_to_be_less_than",
    "expect_column_chisquare_test_p_value_to_be_greater_than",
    "expect_column_bootstrapped_ks_test_p_value_to_be_greater_than",
    "expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than",
    "expect_column_pair_cramers_phi_value_to_be_less_than",
}
# Of a column of numbers; one without any values is float64 there, and text elsewhere.
NUMBERS = {
    f"expect_column_{what}_to_be_between"
    for what in ["max", "mean", "median", "min", "quantile_values", "stdev", "sum"]
}
OLD_PANDAS = {"pandas_022", "pandas_023", "pandas_v2_api"}
FORMATS = ["%b %d %Y %H:%M:%S", "%b %d %Y %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f %z", "%Y-%m-%d %H:%M:%S"]
TYPES = {
    "int": "int64", "int64": "int64", "Int64Dtype": "int64", "float": "float64", "float64": "float64",
    "str": "utf8", "bool": "boolean", "date": "date32", "datetime": "timestamp",
    "datetime64": "timestamp", "datetime64[ns]": "timestamp", "timestamp": "timestamp",
}


def as_list(value):
    return value if isinstance(value, list) else [value] if value else []


def instant(text):
    if text is None:
        return None
    for form in FORMATS:
        try:
            return datetime.datetime.strptime(text, form).isoformat()
        except ValueError:
            pass
    return text


def backend(case):
    only, not_for = as_list(case.get("only_for")), as_list(case.get("suppress_test_for"))
    current = [name for name in only if name.startswith("pandas") and name not in OLD_PANDAS]
    if (not only or current) and "pandas" not in not_for:
        return "pandas"
    if "postgresql" in only or "sqlalchemy" in only:
        return "postgresql"
    return None


def rows(case):
    out = case["out"]
    places = out.get("unexpected_index_list")
    if places and isinstance(places[0], dict):
        return sorted(place["pk_index"] for place in places if "pk_index" in place) or None
    return None


def converted(case, name):
    known = backend(case)
    if known is None or not isinstance(case["in"], dict):
        return None
    if known == "postgresql" and "like" not in name and "row_count_to_equal_other" not in name:
        return None
    out = case["out"]
    kept = {"title": case["title"], "backend": known, "kwargs": case["in"]}
    error = (case.get("error") or {}).get("traceback_substring") or out.get("traceback_substring")
    if error or "success" not in out:
        return kept | {"error": error or "an error"}
    kept["success"] = out["success"]
    if isinstance(out.get("unexpected_list"), list):
        kept["unexpected"] = len(out["unexpected_list"])
    elif isinstance(out.get("result"), dict) and "unexpected_count" in out["result"]:
        kept["unexpected"] = out["result"]["unexpected_count"]
    if rows(case):
        kept["rows"] = rows(case)
    return kept


def dataset(entry, name, table):
    cases = [case for case in (converted(case, name) for case in entry["tests"]) if case]
    if not cases:
        return None
    tables = {}
    if isinstance(entry["data"], list):
        for other in entry["data"][1:]:
            tables[other["dataset_name"]] = other["data"]
        data = entry["data"][0]["data"]
    else:
        data = entry["data"]
    told = (entry.get("schemas") or {}).get("pandas") or {}
    named = json.dumps([case["kwargs"] for case in cases])
    keep = [column for column in data if table or f'{column}' in named]
    types = {column: TYPES[told[column]] for column in keep if told.get(column) in TYPES}
    if name in NUMBERS:
        types |= {c: "float64" for c in keep if all(value is None for value in data[c])}
    columns = {
        column: [instant(value) for value in data[column]]
        if types.get(column) == "timestamp" else data[column]
        for column in keep
    }
    made = {"types": types, "columns": columns, "cases": cases}
    return made | ({"tables": tables} if tables else {})


def lines(value):
    """One line a case and a column: small, and a difference is readable."""
    dump = lambda part: json.dumps(part, ensure_ascii=False, separators=(",", ":"))
    out = ["["]
    for number, group in enumerate(value):
        out.append((",\n" if number else "\n") + '{"expectation":' + dump(group["expectation"]))
        out.append(',"datasets":[')
        for place, entry in enumerate(group["datasets"]):
            out.append((",\n" if place else "\n") + ' {"types":' + dump(entry["types"]) + ',"columns":{')
            out.append(",".join(f"\n  {dump(k)}:{dump(v)}" for k, v in entry["columns"].items()))
            if "tables" in entry:
                out.append('},\n  "tables":' + dump(entry["tables"]) + ',"cases":[')
            else:
                out.append('},"cases":[')
            out.append(",".join("\n  " + dump(case) for case in entry["cases"]) + "]}")
        out.append("]}")
    return "".join(out) + "\n]\n"


def main(source):
    here = os.path.dirname(os.path.abspath(__file__))
    folders = {}
    for path in sorted(glob.glob(os.path.join(source, "tests", "test_definitions", "*", "*.json"))):
        with open(path, encoding="utf-8") as file:
            definition = json.load(file)
        name = definition["expectation_type"]
        if name in NO_COUNTERPART or "suppressed" in path:
            continue
        table = name.startswith("expect_table") or name == "expect_column_to_exist"
        made = [dataset(entry, name, table) for entry in definition["datasets"]]
        made = [entry for entry in made if entry]
        if made:
            folder = os.path.basename(os.path.dirname(path))
            group = {"expectation": name, "datasets": made}
            folders.setdefault(folder, []).append(group)
    for folder, groups in folders.items():
        with open(os.path.join(here, folder + ".json"), "w", encoding="utf-8") as file:
            file.write(lines(groups))


if __name__ == "__main__":
    main(sys.argv[1])
