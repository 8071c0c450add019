#!/usr/bin/env python3
"""Check, or fill in, the expected answers of tests/tpch/*.sql with DuckDB.

    pip install -r scripts/requirements.txt
    scripts/tpch_oracle.py            # print every difference, exit 1 if there is one
    scripts/tpch_oracle.py --write    # take the rows from DuckDB, in place

The tables are those of TPC-H at scale factor 0.01. tpchgen-cli generates them; it is the command of the
crate `tpchgen`, which generates the tables of the tests, so both have the same rows. duckdb_oracle.py
describes the format of the files.
"""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import duckdb
from duckdb_oracle import connect, main, sealed

SCALE_FACTOR = "0.01"


def filled() -> duckdb.DuckDBPyConnection:
    """A database that holds the eight tables."""
    connection = connect()
    generator = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    with tempfile.TemporaryDirectory() as folder:
        make = [generator, "parquet", "--quiet", "-s", SCALE_FACTOR, "-o", folder]
        subprocess.run(make, check=True)
        for file in sorted(Path(folder).glob("*.parquet")):
            connection.execute(f"CREATE TABLE {file.stem} AS FROM '{file}'")
    return sealed(connection)


if __name__ == "__main__":
    database = filled()
    # The files only query the tables, so all files share one database.
    sys.exit(main(__doc__, Path("tests/tpch"), database.cursor))
