#!/usr/bin/env python3
"""Batches of row changes applied by this engine, by DuckDB and by delta-rs, in one run.

    benches/changes_peers.py [--rows 1000000] [--batches 1 10 1000] [--seconds 10]

The same changes for each: a table `t (id BIGINT PRIMARY KEY, amount DOUBLE, name TEXT)` in a folder or a file, of the
changes 70 % updates of whole rows, 15 % inserts and 15 % deletes, each batch one commit that is synced. The keys were
loaded in random or in rising order. This engine is measured by `cargo bench --bench changes`. DuckDB has a file with a
primary key; a batch is a transaction of a DELETE by the keys of the deleted rows, and an INSERT … ON CONFLICT DO UPDATE
of the others from an Arrow table. delta-rs merges the Arrow table, with updates, deletes and inserts, which does not
sync. The rows of a batch have different keys, since neither peer takes two changes of one key.

Prints the median time of a batch and its ratio to this engine's. Installs the peers in a virtual environment below the
target folder, once.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv

PEERS = ["duckdb==2.0.0", "deltalake==1.6.6", "pyarrow==26.0.1"]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def target_folder() -> pathlib.Path:
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def in_environment() -> None:
    """Runs this script again by the Python that has the peers."""
    folder = target_folder() / "benches-venv"
    python = folder / "bin" / "python"
    if pathlib.Path(sys.prefix) == folder.resolve():
        return
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    os.execv(python, [str(python), *sys.argv])


class Source:
    """The changes, as lists of rows to write and of keys to delete."""

    def __init__(self, rows: int) -> None:
        self.random = random.Random(2)
        self.rows = self.next_key = rows
        # Whether each key that was changed is there.
        self.changed: dict[int, bool] = {}

    def next(self, count: int):
        written, deleted, seen = [], [], set()
        while len(seen) < count:
            kind = self.random.randrange(100)
            key = self.next_key if kind >= 85 else self.random.randrange(self.next_key)
            if key in seen:
                continue
            seen.add(key)
            if kind >= 85:
                self.next_key += 1
            is_deleted = 70 <= kind < 85
            (deleted if is_deleted else written).append(key)
            self.changed[key] = not is_deleted
        return written, deleted

    def count(self) -> int:
        """The number of rows that there are after all changes."""
        new = [there for key, there in self.changed.items() if key >= self.rows]
        old = [there for key, there in self.changed.items() if key < self.rows]
        return self.rows + sum(new) - (len(old) - sum(old))


def table_of(keys):
    import pyarrow as pa

    return pa.table(
        {
            "id": pa.array(keys, pa.int64()),
            "amount": pa.array([key / 7 for key in keys], pa.float64()),
            "name": pa.array([f"name-{key:08}" for key in keys], pa.string()),
        }
    )


def loaded_keys(rows: int, order: str):
    keys = list(range(rows))
    if order == "random":
        random.Random(1).shuffle(keys)
    return keys


class DuckDb:
    name = "DuckDB, a file, synced"

    def __init__(self, folder: pathlib.Path, keys) -> None:
        import duckdb

        self.connection = duckdb.connect(str(folder / "peer.db"))
        self.connection.execute(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, amount DOUBLE, name TEXT)"
        )
        rows = table_of(keys)
        self.connection.register("rows", rows)
        self.connection.execute("INSERT INTO t SELECT * FROM rows")
        self.connection.unregister("rows")
        self.connection.execute("CHECKPOINT")

    def apply(self, written, deleted) -> None:
        connection = self.connection
        connection.begin()
        if deleted.num_rows:
            connection.register("deleted", deleted)
            connection.execute("DELETE FROM t USING deleted WHERE t.id = deleted.id")
        if written.num_rows:
            connection.register("written", written)
            connection.execute(
                "INSERT INTO t SELECT * FROM written ON CONFLICT (id) DO UPDATE "
                "SET amount = excluded.amount, name = excluded.name"
            )
        connection.commit()

    def count(self) -> int:
        return self.connection.execute("SELECT count(*) FROM t").fetchone()[0]

    def close(self) -> None:
        self.connection.close()


class DeltaRs:
    name = "delta-rs, a folder, not synced"

    def __init__(self, folder: pathlib.Path, keys) -> None:
        import deltalake

        self.path = str(folder / "delta")
        deltalake.write_deltalake(self.path, table_of(keys))
        self.table = deltalake.DeltaTable(self.path)

    def apply(self, written, deleted) -> None:
        import pyarrow as pa

        flag = pa.array([False] * written.num_rows + [True] * deleted.num_rows)
        source = pa.concat_tables([written, deleted]).append_column("gone", flag)
        (
            self.table.merge(
                source=source,
                predicate="t.id = s.id",
                source_alias="s",
                target_alias="t",
            )
            .when_matched_delete("s.gone")
            .when_matched_update(
                {"amount": "s.amount", "name": "s.name"}, predicate="NOT s.gone"
            )
            .when_not_matched_insert(
                {"id": "s.id", "amount": "s.amount", "name": "s.name"},
                predicate="NOT s.gone",
            )
            .execute()
        )

    def count(self) -> int:
        return self.table.to_pyarrow_dataset().count_rows()

    def close(self) -> None:
        pass


def measured(peer, source: Source, size: int, seconds: float) -> float:
    """The median time of a batch, in milliseconds; the first batch is not counted."""
    times, spent = [], 0.0
    while spent < seconds and len(times) < 5000 or len(times) < 4:
        written, deleted = source.next(size)
        written, deleted = table_of(written), table_of(deleted)
        begun = time.perf_counter()
        peer.apply(written, deleted)
        times.append(time.perf_counter() - begun)
        spent += times[-1]
    return 1000 * statistics.median(times[1:])


def ours(rows: int, order: str, sizes) -> dict[int, float]:
    found = {}
    for size in sizes:
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            command = ["cargo", "bench", "--features", "json", "--bench", "changes", "--"]
            subprocess.run(
                [*command, "folder", order, str(size)],
                cwd=ROOT,
                env={**os.environ, "ROWS": str(rows), "JSON": out.name},
                stdout=subprocess.DEVNULL,
                check=True,
            )
            [result] = json.load(out)
            found[size] = result["p50_ms"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 10, 1000])
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    in_environment()
    print(f"{options.rows:,} rows; {', '.join(PEERS)}; median of a batch, and its ratio to this engine's\n")
    print("| keys | changes in a batch | this engine, synced | DuckDB, synced | delta-rs, not synced |")
    print("|---|---|---|---|---|")
    for order in ["random", "rising"]:
        own = ours(options.rows, order, options.batches)
        keys = loaded_keys(options.rows, order)
        peers = {}
        for make in [DuckDb, DeltaRs]:
            folder = pathlib.Path(tempfile.mkdtemp(dir=target_folder()))
            try:
                peer, source = make(folder, keys), Source(options.rows)
                for size in options.batches:
                    peers[make, size] = measured(peer, source, size, options.seconds)
                if peer.count() != source.count():
                    raise SystemExit(f"{make.name}: {peer.count()} rows, not {source.count()}")
                peer.close()
            finally:
                shutil.rmtree(folder)
        for size in options.batches:
            cells = [f"{own[size]:.2f} ms"]
            for make in [DuckDb, DeltaRs]:
                theirs = peers[make, size]
                cells.append(f"{theirs:.2f} ms ({theirs / own[size]:.1f})")
            print(f"| {order} | {size:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
