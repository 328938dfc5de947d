"""Reads {columns: [[name, type]], rows: [object], queries: [KQL]} from standard input and prints the answer to each query
over the table TollgateAudit_CL: a list of objects, or null for a query that duckdb-kql does not translate."""

import json
import sys

import duckdb_kql

TYPES = {"string": "VARCHAR", "long": "BIGINT", "dateTime": "TIMESTAMP"}


def ask(connection, query):
    try:
        answer = duckdb_kql.kql(connection, query)
    except duckdb_kql.KqlUnsupportedError:
        return None
    return [dict(zip(answer.columns, row)) for row in answer.fetchall()]


def main():
    asked = json.load(sys.stdin)
    connection = duckdb_kql.connect()
    columns = ", ".join(f'"{name}" {TYPES[kind]}' for name, kind in asked["columns"])
    connection.execute(f"CREATE TABLE TollgateAudit_CL ({columns})")
    places = ", ".join("?" for _ in asked["columns"])
    for row in asked["rows"]:
        values = [row.get(name) for name, _ in asked["columns"]]
        connection.execute(f"INSERT INTO TollgateAudit_CL VALUES ({places})", values)
    print(json.dumps([ask(connection, query) for query in asked["queries"]], default=str))


main()
