#!/usr/bin/env python3
"""Read every data file of a database with the Python package vortex-data, and exit 1 if a file cannot be read.

    read_with_vortex.py FOLDER ROWS

FOLDER is a database; its files must hold at least ROWS rows.
"""

import sys
from pathlib import Path

import vortex


def main() -> int:
    folder, least = Path(sys.argv[1]), int(sys.argv[2])
    files = sorted(folder.glob("*/*.vortex"))
    rows = 0
    for path in files:
        file = vortex.open(str(path))
        read = file.scan().read_all().to_arrow_array()
        if len(read) != len(file) or not read.type.names:
            print(f"{path}: {len(read)} rows were read of {len(file)}", file=sys.stderr)
            return 1
        rows += len(read)
    print(f"{rows} rows in {len(files)} files")
    return 0 if files and rows >= least else 1


if __name__ == "__main__":
    sys.exit(main())
