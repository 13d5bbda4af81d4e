"""Runs statements and a query in DuckDB: JSON in, the query's rows as JSON out."""

import json
import sys

import duckdb

work = json.load(sys.stdin)
connection = duckdb.connect()
for statement in work["statements"]:
    connection.execute(statement)
print(json.dumps(connection.execute(work["query"]).fetchall()))
