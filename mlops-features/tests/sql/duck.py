"""Runs statements and a query in DuckDB: a line of JSON in, the query's rows as a line of JSON out."""

import json
import sys

import duckdb

for line in sys.stdin:
    work = json.loads(line)
    connection = duckdb.connect()
    for statement in work["statements"]:
        connection.execute(statement)
    print(json.dumps(connection.execute(work["query"]).fetchall()), flush=True)
