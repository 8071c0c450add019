#!/usr/bin/env python3
"""Check, or fill in, the expected answers of tests/sql/*.sql with DuckDB.

    pip install -r scripts/requirements.txt
    scripts/duckdb_oracle.py                  # print every difference, exit 1 if there is one
    scripts/duckdb_oracle.py --write          # take rows and counts from DuckDB, in place
    scripts/duckdb_oracle.py tests/sql/nulls.sql

The format. Each file runs alone, in a fresh in-memory database. A statement ends with a `;` that
ends a line; it never begins with a `--` line (those before it are comments), but may hold some.
The first line after it states the expected outcome:

    --> ok                      it succeeds; its result is not compared
    --> count N                 it succeeds and affects N rows
    --> rows [unordered]        it returns these rows, one `-- a | b | c` line each, none for none;
                                the first line that does not begin with `-- ` ends them
    --> error KIND[: TEXT]      it fails with this kind (invalid, unsupported, denied or
                                resources_exhausted), and TEXT occurs in the message

A directive on the line right before a statement says what DuckDB runs:

    --@ duckdb: SQL             this SQL instead of the statement; {statement} is replaced by its text
    --@ duckdb: fails           the statement, and DuckDB must fail whatever the expectation says
    --@ duckdb: skip REASON     nothing; the expectation is written by hand

Without a directive, DuckDB runs the statement, and must fail exactly where an error is expected. Kinds and
messages of errors are always written by hand.

Values: NULL; true and false; floats as the shortest text that reads back the same, never with an
exponent and with at least one decimal (also NaN, inf, -inf); decimals with their scale; dates
2024-01-31; times 12:34:56; timestamps 2024-01-31T12:34:56, in UTC with a Z where they have a zone,
both with 3 or 6 digits of a fraction only where it is not zero; binary in lower-case hex; lists
[1, NULL]; structs {a: 1, b: x}. Strings are raw, except '' (the empty string, or no bytes), \\NULL
(a string that reads NULL), and \\\\, \\|, \\n and \\s (a space at either end).
"""

import argparse
import datetime as dt
import math
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import duckdb

ROOT = Path(__file__).resolve().parent.parent
OpenDatabase = Callable[[], duckdb.DuckDBPyConnection]
DIRECTIVE = "--@ duckdb:"
ERROR_KINDS = ("invalid", "unsupported", "denied", "resources_exhausted")


class Zone(ZoneInfo):
    """A substitute for the part of pytz that DuckDB imports to return a timestamp with a time zone."""

    def localize(self, value: dt.datetime) -> dt.datetime:
        return value.replace(tzinfo=self)


sys.modules.setdefault("pytz", SimpleNamespace(timezone=Zone))


class FormatError(Exception):
    """A file does not follow the format."""


@dataclass
class Case:
    """A statement, the SQL for DuckDB, and the expectation."""

    line: int  # of the statement's first line, from 1
    sql: str
    ask: str | None  # the SQL DuckDB runs; None: none
    must_fail: bool  # whether DuckDB must refuse it
    kind: str  # ok, count, rows, error
    argument: str  # the text after the kind
    expect_at: int  # index of the `-->` line
    rows: list[str] = field(default_factory=list)


@dataclass
class Answer:
    """DuckDB's answer: an error, or rows and the number of affected rows (None for a query)."""

    error: str | None = None
    rows: list[str] = field(default_factory=list)
    count: int | None = None


def parse(lines: list[str]) -> list[Case]:
    """The cases of a file, in order."""
    cases: list[Case] = []
    directive, at = "", 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or line.startswith("--"):
            if line.startswith("-->"):
                raise FormatError(f"{at + 1}: an expectation without a statement")
            if line.startswith("--@"):
                if not line.startswith(DIRECTIVE) or directive:
                    raise FormatError(f"{at + 1}: not a directive, or a second one")
                directive = line.removeprefix(DIRECTIVE).strip()
            elif directive:
                raise FormatError(f"{at + 1}: a directive must be right before its statement")
            at += 1
            continue
        first = at
        while not lines[at].rstrip().endswith(";"):
            at += 1
            if at == len(lines):
                raise FormatError(f"{first + 1}: the statement has no end")
        sql = "\n".join(lines[first : at + 1]).rstrip().removesuffix(";")
        at += 1
        if at == len(lines) or not lines[at].startswith("--> "):
            raise FormatError(f"{first + 1}: the statement has no expectation")
        case = read_case(first + 1, sql, directive, lines[at].removeprefix("--> "), at)
        directive = ""
        at += 1
        while case.kind == "rows" and at < len(lines) and lines[at].startswith("-- "):
            case.rows.append(lines[at].removeprefix("-- ").strip())
            at += 1
        cases.append(case)
    if directive:
        raise FormatError("a directive without a statement at the end")
    return cases


def read_case(line: int, sql: str, directive: str, expectation: str, at: int) -> Case:
    kind, _, argument = expectation.strip().partition(" ")
    if kind not in ("ok", "count", "rows", "error"):
        raise FormatError(f"{at + 1}: unknown expectation {kind}")
    if kind == "error" and argument.partition(":")[0] not in ERROR_KINDS:
        raise FormatError(f"{at + 1}: unknown kind of error")
    must_fail, ask = kind == "error", sql
    word, _, reason = directive.partition(" ")
    if word == "skip":
        if not reason:
            raise FormatError(f"{line}: skip needs a reason")
        ask = None
    elif directive == "fails":
        must_fail = True
    elif directive:
        ask = directive.removesuffix(";").replace("{statement}", sql)
    return Case(line, sql, ask, must_fail, kind, argument.strip(), at)


def connect() -> duckdb.DuckDBPyConnection:
    """A fresh database."""
    connection = duckdb.connect(config={"threads": "1"})
    connection.execute("SET python_enable_replacements = false; SET TimeZone = 'UTC'")
    return connection


def sealed(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same database, without access to files and network from now on."""
    connection.execute("SET enable_external_access = false")
    return connection


def ask(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    try:
        fetched = connection.execute(sql).fetchall()
        described = connection.description or []
    except duckdb.Error as error:
        return Answer(error=str(error).splitlines()[0])
    names, types = [[column[i] for column in described] for i in (0, 1)]
    count = fetched[0][0] if names == ["Count"] and len(fetched) == 1 else None
    return Answer(rows=[" | ".join(map(render, row, types)) for row in fetched], count=count)


def render(value: object, sql_type: object) -> str:
    """A value in the format of a rows line."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return render_float(value, single=sql_type.id == "float")
        case Decimal():
            return f"{value:f}"
        case str():
            return render_text(value)
        case bytes():
            return value.hex() or "''"
        case dt.datetime() if value.tzinfo:
            return render(value.astimezone(dt.timezone.utc).replace(tzinfo=None), sql_type) + "Z"
        case dt.datetime() | dt.time():
            return value.isoformat(timespec=timespec(value))
        case dt.date():
            return value.isoformat()
        case list() | tuple():
            item_type = sql_type.children[0][1]
            return "[" + ", ".join(render(item, item_type) for item in value) + "]"
        case dict():
            types = dict(sql_type.children)
            return "{" + ", ".join(f"{k}: {render(v, types[k])}" for k, v in value.items()) + "}"
    raise FormatError(f"no rendering for {type(value).__name__} ({sql_type})")


def render_float(value: float, single: bool) -> str:
    if not math.isfinite(value):
        return str(value).replace("nan", "NaN")
    shortest = repr(value)
    if single:
        for digits in range(1, 10):
            shortest = f"{value:.{digits}g}"
            if struct.unpack("f", struct.pack("f", float(shortest)))[0] == value:
                break
    text = f"{Decimal(shortest):f}"
    return text if "." in text else text + ".0"


def render_text(value: str) -> str:
    if value in ("", "NULL"):
        return "\\NULL" if value else "''"
    text = value.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "\\n")
    inner = text.lstrip(" ")
    before, text = "\\s" * (len(text) - len(inner)), inner
    return before + text.rstrip(" ") + "\\s" * (len(text) - len(text.rstrip(" ")))


def timespec(value: dt.datetime | dt.time) -> str:
    if value.microsecond == 0:
        return "seconds"
    return "microseconds" if value.microsecond % 1000 else "milliseconds"


def difference(case: Case, answer: Answer) -> str | None:
    """The difference between DuckDB's answer and the expectation; None if there is none."""
    if case.must_fail:
        return None if answer.error else "DuckDB accepts it"
    if answer.error:
        return f"DuckDB fails: {answer.error}"
    if case.kind == "count":
        if answer.count is None:
            return "DuckDB returns no count"
        if case.argument != str(answer.count):
            return f"count: expected {case.argument or 'nothing yet'}, DuckDB {answer.count}"
    if case.kind == "rows":
        expected, actual = case.rows, answer.rows
        if case.argument == "unordered":
            expected, actual = sorted(expected), sorted(actual)
        if expected != actual:
            return "\n    ".join(["expected rows:", *expected, "but in DuckDB:", *actual])
    return None


def run(path: Path, write: bool, open_database: OpenDatabase) -> tuple[int, int]:
    """The numbers of statements and of differences (with `write`: of the remaining differences)."""
    lines = path.read_text(encoding="utf-8").split("\n")
    cases = parse(lines)
    differences, changes = 0, []
    with open_database() as connection:
        for case in cases:
            if case.ask is None:
                continue
            answer = ask(connection, case.ask)
            differs = difference(case, answer)
            fillable = not case.must_fail and answer.error is None
            if differs and write and fillable and (case.kind == "rows" or answer.count is not None):
                changes.append((case, answer))
            elif differs:
                differences += 1
                print(f"{path.name}:{case.line}: {differs}\n")
    for case, answer in reversed(changes):
        if case.kind == "count":
            new = [f"--> count {answer.count}"]
        else:
            rows = sorted(answer.rows) if case.argument == "unordered" else answer.rows
            new = [lines[case.expect_at]] + [f"-- {row}" for row in rows]
        lines[case.expect_at : case.expect_at + 1 + len(case.rows)] = new
    if changes:
        path.write_text("\n".join(lines), encoding="utf-8")
    return len(cases), differences


def main(about: str, folder: Path, open_database: OpenDatabase) -> int:
    """The command line for the files of a folder; each file runs on a database of its own."""
    arguments = argparse.ArgumentParser(description=about.splitlines()[0])
    mode = arguments.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only compare (the default)")
    mode.add_argument("--write", action="store_true", help="write DuckDB's rows and counts")
    arguments.add_argument("files", nargs="*", type=Path, help=f"instead of all of {folder}")
    options = arguments.parse_args()
    files = options.files or sorted((ROOT / folder).glob("*.sql"))
    statements = differences = 0
    for path in files:
        ran, differed = 0, 1
        try:
            ran, differed = run(path, options.write, open_database)
        except FormatError as error:
            print(f"{path.name}: {error}\n")
        statements += ran
        differences += differed
    print(f"{len(files)} files, {statements} statements, {differences} differences", end=" ")
    print(f"(DuckDB {duckdb.__version__})")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(__doc__, Path("tests/sql"), lambda: sealed(connect())))
