#!/usr/bin/env python3
"""Answer SQL statements with DuckDB, for a program that compares its own answers with them.

Each line of standard input is a JSON object: {"sql": STATEMENT}, answered by {"rows": [TEXT, …]} with rows as in
`tests/sql` (see duckdb_oracle.py) or {"error": TEXT}; or {"reset": true}, which empties the database.
"""

import json
import sys

from duckdb_oracle import ask, connect


def main() -> None:
    connection = connect()
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("reset"):
            connection.close()
            connection = connect()
            answer = {"rows": []}
        else:
            answer = ask(connection, request["sql"])
            answer = {"rows": answer.rows} if answer.error is None else {"error": answer.error}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
