//! The indexes of keys beside data files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhei_datafusion::{DataFusionEngine, OlapEngine, VacuumOptions};

use crate::common::{copy_folder, engines, fresh_folder, rows, run, vortex};
use crate::sql_file::render;

/// So many rows are in a file, and have an index beside it if their keys are in no order.
const ROWS: u64 = 20_011;
/// A permutation of the numbers below `ROWS`.
const SHUFFLED: &str = "value * 7919 % 20011";

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(with_extension(&path, extension)),
            false if path.extension().is_some_and(|there| there == extension) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

fn indexes(folder: &Path) -> Vec<PathBuf> {
    with_extension(folder, "keys")
}

fn open(folder: &Path) -> DataFusionEngine {
    DataFusionEngine::with_storage(vortex(folder)).unwrap()
}

/// A table with keys in no order.
async fn filled(engine: &DataFusionEngine) {
    run(
        engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT, name TEXT)",
    )
    .await;
    let fill =
        format!("INSERT INTO t SELECT {SHUFFLED}, value, 'row ' || value FROM range({ROWS})");
    run(engine, &fill).await;
}

/// Changes and asks for rows in each way that looks keys up.
async fn change_and_ask(engine: &DataFusionEngine) -> Vec<String> {
    for sql in [
        "INSERT INTO t VALUES (17, -1, 'upsert'), (30000, -1, 'new') \
         ON CONFLICT (id) DO UPDATE SET n = excluded.n, name = t.name || '!'",
        "UPDATE t SET n = -2 WHERE id = 4711",
        "DELETE FROM t WHERE id IN (5, 6, 7, 99999)",
        "UPDATE t SET name = 'both' WHERE id = 1000 OR id = 20010",
    ] {
        run(engine, sql).await;
    }
    let mut answers = Vec::new();
    for sql in [
        "SELECT * FROM t WHERE id = 17",
        "SELECT * FROM t WHERE id IN (4711, 5, 30000, 1000, 20010) ORDER BY id",
        "SELECT name FROM t WHERE id = 12345 AND n >= 0",
        "SELECT name FROM t WHERE id = 12345 AND n < 0",
        "SELECT a.name, b.n FROM t a JOIN t b ON a.id = b.id WHERE a.id = 77",
        "SELECT count(*), count(DISTINCT id), sum(id), sum(n) FROM t",
    ] {
        answers.extend(rows(engine, sql).await);
    }
    answers
}

#[tokio::test]
async fn a_file_whose_keys_are_in_no_order_has_an_index_of_them_beside_it() {
    let folder = fresh_folder();
    let engine = open(&folder);
    for (table, rows, key) in [
        ("CREATE TABLE t (id BIGINT, n BIGINT)", ROWS, SHUFFLED),
        (
            "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
            ROWS,
            "value",
        ),
        (
            "CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)",
            8191,
            "-value",
        ),
    ] {
        run(&engine, table).await;
        let fill = format!("INSERT INTO t SELECT {key}, value FROM range({rows})");
        run(&engine, &fill).await;
        assert!(indexes(&folder).is_empty(), "{table}: {fill}");
        run(&engine, "DROP TABLE t").await;
    }
    for (key, of_row, most) in [
        ("id BIGINT PRIMARY KEY", "value * 7919 % 20011", 8.6),
        ("id BIGINT PRIMARY KEY", "-value", 8.6),
        ("id TEXT PRIMARY KEY", "md5(CAST(value AS TEXT))", 17.0),
        (
            "id BIGINT, b INT, PRIMARY KEY (b, id)",
            "value, CAST(value AS INT)",
            17.0,
        ),
    ] {
        run(&engine, &format!("CREATE TABLE t ({key}, n BIGINT)")).await;
        let fill = format!("INSERT INTO t SELECT {of_row}, value FROM range({ROWS})");
        run(&engine, &fill).await;
        let files = indexes(&folder);
        assert_eq!(files.len(), 1, "{key}");
        assert!(files[0].with_extension("vortex").exists(), "{key}");
        let bytes = std::fs::metadata(&files[0]).unwrap().len();
        assert!((bytes as f64) < most * ROWS as f64, "{key}: {bytes} bytes");
        run(&engine, "DROP TABLE t").await;
        vacuum(&engine).await;
        assert!(indexes(&folder).is_empty(), "{key}");
    }
}

async fn vacuum(engine: &DataFusionEngine) {
    let options = VacuumOptions {
        retention: Duration::ZERO,
        dry_run: false,
    };
    engine.vacuum(options).await.unwrap();
}

#[tokio::test]
async fn compaction_makes_an_index_and_vacuum_removes_those_of_removed_files() {
    let folder = fresh_folder();
    let engine = open(&folder);
    filled(&engine).await;
    let before = indexes(&folder);
    assert_eq!(before.len(), 1);
    run(&engine, "DELETE FROM t WHERE n % 50 = 0").await;
    engine.compact().await.unwrap();
    let both = indexes(&folder);
    assert_eq!(both.len(), 2);
    vacuum(&engine).await;
    let after = indexes(&folder);
    assert_eq!(after.len(), 1);
    assert_ne!(after, before);
    assert!(engine.verify().await.unwrap().damages.is_empty());
    let found = rows(&engine, "SELECT n FROM t WHERE id = 7919").await;
    assert_eq!(found, ["1"]);
}

/// The files of a folder that hold an index, each damaged in many ways, and the index of another table in its place.
#[tokio::test]
async fn an_index_that_is_missing_or_damaged_is_named_and_gives_no_wrong_row() {
    let folder = fresh_folder();
    filled(&open(&folder)).await;
    let expected = {
        let whole = fresh_folder();
        let engine = open(&whole);
        filled(&engine).await;
        change_and_ask(&engine).await
    };
    let in_memory = DataFusionEngine::new();
    filled(&in_memory).await;
    assert_eq!(change_and_ask(&in_memory).await, expected);
    let other = {
        let other = fresh_folder();
        filled(&open(&other)).await;
        std::fs::read(&indexes(&other)[0]).unwrap()
    };

    let file = indexes(&folder)[0]
        .strip_prefix(&folder)
        .unwrap()
        .to_path_buf();
    let bytes = std::fs::read(folder.join(&file)).unwrap();
    let mut damages: Vec<(String, Option<Vec<u8>>)> = vec![
        ("gone".into(), None),
        ("nothing of it".into(), Some(Vec::new())),
        ("half of it".into(), Some(bytes[..bytes.len() / 2].to_vec())),
        ("zeros".into(), Some(vec![0; bytes.len()])),
        ("that of another table".into(), Some(other)),
    ];
    for flip in 0..12 {
        let mut flipped = bytes.clone();
        let at = flip * (bytes.len() - 1) / 11;
        flipped[at] ^= 1 << (flip % 8);
        damages.push((format!("byte {at} flipped"), Some(flipped)));
    }
    for (how, bytes) in damages {
        let damaged = fresh_folder();
        copy_folder(&folder, &damaged);
        match bytes {
            Some(bytes) => std::fs::write(damaged.join(&file), bytes).unwrap(),
            None => std::fs::remove_file(damaged.join(&file)).unwrap(),
        }
        let engine = open(&damaged);
        let verified = engine.verify().await.unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(verified.damages.len(), 1, "{how}: {verified:?}");
        assert!(verified.damages[0].contains(name), "{how}: {verified:?}");
        assert_eq!(change_and_ask(&engine).await, expected, "{how}");
    }
}

/// Columns of a key, the PRIMARY KEY, the values of row `k`, and literals of some keys.
const KEYS: [(&str, &str, &str, [&str; 3]); 8] = [
    (
        "a BIGINT",
        "a",
        "k * 7919 % 9001 - 10",
        ["-3", "4711", "99999999999"],
    ),
    (
        "a INT",
        "a",
        "CAST(k * 7919 % 9001 AS INT)",
        ["-3", "4711", "99999999999"],
    ),
    (
        "a SMALLINT",
        "a",
        "CAST(k * 7919 % 9001 AS SMALLINT)",
        ["17", "4711", "40000"],
    ),
    (
        "a TEXT",
        "a",
        "md5(CAST(k AS TEXT))",
        ["md5('17')", "'c4ca4238a0b923820dcc509a6f75849b'", "''"],
    ),
    (
        "a DATE",
        "a",
        "CAST(CAST(k * 7919 % 9001 AS INT) AS DATE)",
        [
            "DATE '1970-01-18'",
            "DATE '1982-11-25'",
            "DATE '2200-01-01'",
        ],
    ),
    (
        "a TIMESTAMP",
        "a",
        "to_timestamp_micros(k * 7919 % 9001 * 1000000)",
        [
            "TIMESTAMP '1970-01-01 00:00:17'",
            "TIMESTAMP '1970-01-01 01:00:00'",
            "DATE '1970-01-01'",
        ],
    ),
    (
        "a DECIMAL(12, 2)",
        "a",
        "CAST(k * 7919 % 9001 AS DECIMAL(12, 2)) / 4",
        ["17", "4.25", "4.2500"],
    ),
    (
        "a BIGINT, b TEXT",
        "b, a",
        "k * 7919 % 9001 / 100, CAST(k * 7919 % 9001 % 100 AS TEXT)",
        ["17", "4", "5 AND b = '42'"],
    ),
];

/// Conditions on the key; `x`, `y` and `z` stand for its literals.
const CONDITIONS: [&str; 16] = [
    "a = x",
    "x = a",
    "a = z",
    "a IN (x, y, z)",
    "a IN (x, NULL)",
    "a NOT IN (x, y)",
    "a = x OR a = y OR a = x",
    "a = x OR v = 3",
    "a = x AND v >= 0",
    "a = x AND a = y",
    "NOT a = x",
    "a = NULL OR a = x",
    "CAST(a AS TEXT) = CAST(x AS TEXT)",
    "(a = x) IS NOT FALSE",
    "a = (SELECT max(a) FROM t WHERE v < 100)",
    "b = '42' AND a = x",
];

/// The same rows in a table with a key, which is looked up, and in one without, which is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_looked_up_by_key_is_what_reading_finds() {
    let (mut asked, mut found) = (0, 0);
    let mut lookups: Vec<String> = Vec::new();
    for (store, engine) in engines() {
        for (columns, key, values, literals) in KEYS {
            let rows_of =
                format!("SELECT {values}, k AS v FROM (SELECT value AS k FROM range(9001))");
            run(
                &engine,
                &format!("CREATE TABLE t ({columns}, v BIGINT, PRIMARY KEY ({key}))"),
            )
            .await;
            run(&engine, &format!("CREATE TABLE u ({columns}, v BIGINT)")).await;
            for table in ["t", "u"] {
                run(&engine, &format!("INSERT INTO {table} {rows_of}")).await;
                run(&engine, &format!("DELETE FROM {table} WHERE v % 10 = 7")).await;
            }
            for condition in CONDITIONS {
                if condition.starts_with('b') && !columns.contains("b TEXT") {
                    continue;
                }
                let mut words: Vec<String> = Vec::new();
                for word in condition.split(' ') {
                    let literal = ["x", "y", "z"].iter().zip(literals).fold(
                        word.to_string(),
                        |word, (name, literal)| {
                            let bare = word.trim_matches(|sign| "(),".contains(sign)).to_string();
                            if bare == *name {
                                word.replace(name, literal)
                            } else {
                                word
                            }
                        },
                    );
                    words.push(literal);
                }
                let condition = words.join(" ");
                let explain = format!("EXPLAIN SELECT v FROM t WHERE {condition}");
                if let Ok(plan) = engine.query(&explain).await
                    && render(&plan).concat().contains("partition_sizes")
                {
                    lookups.push(format!("{columns}: {condition}"));
                }
                let ask = async |sql: &str, table: &str| {
                    let of_table = sql.replace("{table}", table);
                    let place = format!("{store}, {columns}: {of_table}");
                    match engine.query(&of_table).await {
                        Ok(there) => Ok((render(&there), place)),
                        Err(error) => Err((error.to_string(), place)),
                    }
                };
                for sql in [
                    "SELECT count(*), sum(v), min(a) FROM {table} WHERE {condition}",
                    "SELECT p.v, q.v FROM {table} p LEFT JOIN {table} q ON p.v = q.v + 1 AND q.{condition} WHERE p.v BETWEEN 10 AND 30 ORDER BY 1, 2",
                ] {
                    if sql.contains("q.{condition}") && !condition.starts_with("a = ") {
                        continue;
                    }
                    let sql = sql.replace("{condition}", &condition);
                    let looked_up = ask(&sql, "t").await;
                    let read = ask(&sql, "u").await;
                    asked += 1;
                    match (looked_up, read) {
                        (Ok((there, place)), Ok((expected, _))) => {
                            assert_eq!(there, expected, "{place}");
                            let is_found = there.first().is_some_and(|row| !row.starts_with('0'));
                            found += usize::from(is_found);
                        }
                        (Err(_), Err(_)) => {}
                        (there, expected) => panic!("{there:?} {expected:?}"),
                    }
                }
                for sql in [
                    "UPDATE {table} SET v = v + 1000000 WHERE {condition}",
                    "DELETE FROM {table} WHERE {condition} AND v % 2 = 1",
                ] {
                    let sql = sql.replace("{condition}", &format!("({condition})"));
                    let counted = engine.execute(&sql.replace("{table}", "t")).await;
                    let expected = engine.execute(&sql.replace("{table}", "u")).await;
                    match (counted, expected) {
                        (Ok(there), Ok(expected)) => {
                            assert_eq!(there, expected, "{store}, {columns}: {sql}")
                        }
                        (Err(_), Err(_)) => {}
                        (there, expected) => {
                            panic!("{store}, {columns}: {sql}: {there:?} {expected:?}")
                        }
                    }
                }
            }
            let both = "SELECT count(*), sum(v) FROM t UNION SELECT count(*), sum(v) FROM u";
            assert_eq!(rows(&engine, both).await.len(), 1, "{store}, {columns}");
            run(&engine, "DROP TABLE t").await;
            run(&engine, "DROP TABLE u").await;
        }
    }
    assert!(asked > 200 && found > 60, "{found} of {asked} found rows");
    assert!(
        lookups.len() > 70,
        "{} lookups: {lookups:#?}",
        lookups.len()
    );
}

/// The open rows of a history are looked up by the columns that a condition compares, for a history has no key: the same
/// rows in a table without its columns, which is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_rows_of_a_history_are_what_reading_finds() {
    // `to` stands for the column that says whether a row is open.
    let conditions = [
        ("id = 5 AND to IS NULL", true),
        ("to IS NULL AND 5 = id AND part = 'b2'", true),
        ("id IN (1, 2, 77777) AND to IS NULL", true),
        ("(id = 5 OR id = 6) AND to IS NULL AND v >= 0", true),
        ("v = 8000 AND to IS NULL", true),
        ("v = 8000 AND id = 2000 AND to IS NULL", true),
        ("id = 3 AND part = 'b0' AND v = 6003 AND to IS NULL", true),
        ("part = 'b1' AND to IS NULL", true),
        ("id IN (8, 9) AND part = 'b2' AND to IS NULL", false),
        ("id = 9 AND to IS NULL AND _rhei_valid_from = 2", true),
        ("id = 5", false),
        ("id = 5 AND to IS NOT NULL", false),
        ("id = 5 OR to IS NULL", false),
        ("id > 2990 AND to IS NULL", false),
        ("NOT (id = 5) AND to IS NULL", false),
        ("id IS NULL AND to IS NULL", false),
        ("to IS NULL AND to = 5", false),
    ];
    let rows_of = "SELECT k % 3000, 'b' || (k % 3), k, k // 3000, \
                   CASE WHEN k < 6000 THEN k // 3000 + 1 END FROM (SELECT value AS k FROM range(9000))";
    for (store, engine) in engines() {
        for (table, to) in [("t", "_rhei_valid_to"), ("u", "other")] {
            let columns =
                format!("id BIGINT, part TEXT, v BIGINT, _rhei_valid_from BIGINT, {to} BIGINT");
            run(&engine, &format!("CREATE TABLE {table} ({columns})")).await;
            run(&engine, &format!("INSERT INTO {table} {rows_of}")).await;
            run(&engine, &format!("DELETE FROM {table} WHERE v % 10 = 7")).await;
        }
        let of = |sql: &str| {
            let both = [("t", "_rhei_valid_to"), ("u", "other")];
            both.map(|(table, to)| sql.replace("{t}", table).replace("to ", &format!("{to} ")))
        };
        for (condition, is_looked_up) in conditions {
            let select = format!("SELECT count(*), sum(v), min(id) FROM {{t}} WHERE {condition}");
            let [of_t, of_u] = of(&select);
            assert_eq!(
                rows(&engine, &of_t).await,
                rows(&engine, &of_u).await,
                "{store}: {condition}"
            );
            let [explain, _] = of(&format!("EXPLAIN SELECT v FROM {{t}} WHERE {condition}"));
            let plan = rows(&engine, &explain).await.concat();
            assert_eq!(
                plan.contains("partition_sizes"),
                is_looked_up,
                "{store}: {condition}: {plan}"
            );
            for change in [
                format!("UPDATE {{t}} SET v = v + 1000000 WHERE {condition}"),
                format!("UPDATE {{t}} SET to = 9 WHERE ({condition}) AND part <> 'b2'"),
                format!("DELETE FROM {{t}} WHERE ({condition}) AND v % 2 = 1"),
            ] {
                let [of_t, of_u] = of(&change);
                assert_eq!(
                    run(&engine, &of_t).await,
                    run(&engine, &of_u).await,
                    "{store}: {change}"
                );
            }
        }
        // Of values that may be NULL there is no index.
        for change in [
            "INSERT INTO {t} VALUES (NULL, NULL, 1, 1, NULL), (11, 'b2', 1, 1, NULL)",
            "UPDATE {t} SET to = 11 WHERE id = 11 AND to IS NULL",
            "DELETE FROM {t} WHERE part = 'b2' AND id = 14 AND to IS NULL",
        ] {
            let [of_t, of_u] = of(change);
            assert_eq!(run(&engine, &of_t).await, run(&engine, &of_u).await);
        }
        let sums = "SELECT count(*), sum(v), count(to ), sum(to ), sum(id * v) FROM {t}";
        let [of_t, of_u] = of(sums);
        assert_eq!(
            rows(&engine, &of_t).await,
            rows(&engine, &of_u).await,
            "{store}"
        );
    }
}

/// The rows that a MERGE may match are looked up if ON names the key; if it names an expression, the target is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_by_key_is_the_merge_that_reads_its_target() {
    let source = "SELECT value * 3 AS k, value AS m, CASE WHEN value % 5 = 0 THEN NULL ELSE 'of ' || value END AS s FROM range(9000, 9400) UNION ALL SELECT NULL, 0, 'no key' UNION ALL SELECT 30000 + value, value, 'new' FROM range(20)";
    for clauses in [
        "WHEN MATCHED AND s.m % 2 = 0 THEN UPDATE SET n = t.n + s.m, name = s.s WHEN MATCHED THEN DELETE",
        "WHEN NOT MATCHED AND s.k IS NOT NULL THEN INSERT (id, n, name) VALUES (s.k, s.m, s.s)",
        "WHEN MATCHED AND t.n > 100 THEN UPDATE SET n = -1 WHEN NOT MATCHED AND s.k > 0 THEN INSERT VALUES (s.k, 7, 'x')",
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED BY SOURCE AND t.n < 50 THEN UPDATE SET n = 0",
    ] {
        for extra in ["", " AND t.n % 3 <> 1", " AND s.m > 9100"] {
            let mut answers = Vec::new();
            for on in ["t.id = s.k", "s.k = t.id", "t.id + 0 = s.k"] {
                for (_, engine) in engines() {
                    filled(&engine).await;
                    run(&engine, "DELETE FROM t WHERE n % 11 = 0").await;
                    let merge = format!("MERGE INTO t USING ({source}) s ON {on}{extra} {clauses}");
                    let count = run(&engine, &merge).await;
                    let sums = "SELECT count(*), sum(id), sum(n), sum(id * n), count(name), max(name) FROM t";
                    answers.push((count, rows(&engine, sums).await));
                }
            }
            assert!(
                answers.iter().all(|answer| *answer == answers[0]),
                "{extra} {clauses}: {answers:?}"
            );
        }
    }
}

/// So it is with UPDATE … FROM and DELETE … USING.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_from_and_a_delete_using_by_key_are_those_that_read_their_target() {
    let source = "(SELECT value * 3 AS k, value AS m, CASE WHEN value % 5 = 0 THEN NULL ELSE 'of ' || value END AS s FROM range(9000, 9400) UNION ALL SELECT NULL, 0, 'no key' UNION ALL SELECT 30000 + value, value, 'new' FROM range(20)) s";
    let two = format!("{source}, range(2) AS r(x)");
    for statement in [
        "UPDATE t SET n = t.n + s.m, name = s.s FROM {source} WHERE {on}",
        "UPDATE t AS a SET n = -s.m FROM {source} WHERE {on} AND s.m % 2 = 0 AND a.n > 50",
        "UPDATE t SET n = s.m FROM {source} WHERE {on} OR t.id = s.m - 9000",
        "UPDATE t SET n = s.m + x FROM {two} WHERE x = 1 AND {on}",
        "UPDATE t SET n = o.n FROM t AS o, {source} WHERE o.id = s.k AND {on}",
        "UPDATE t SET id = -t.id FROM {source} WHERE {on} RETURNING id, s.m",
        "DELETE FROM t USING {source} WHERE {on}",
        "DELETE FROM t USING {two} WHERE {on} AND s.s IS NOT NULL",
        "DELETE FROM t USING {source} WHERE NOT {on} AND t.n < 10",
        "DELETE FROM t USING {source} WHERE {on} AND s.m % 3 = 0 AND s.s LIKE '%1%' AND 17 < s.k",
        "DELETE FROM t USING {source} WHERE {on} AND s.m IN (SELECT value FROM range(9000, 9100))",
        "UPDATE t SET n = 1 FROM {source} LEFT JOIN range(9010, 9020) AS r(x) ON s.m = x WHERE {on} AND x IS NULL",
        "WITH c AS (SELECT * FROM {source} WHERE m > 9100) DELETE FROM t USING c AS s WHERE {on}",
    ] {
        let mut answers = Vec::new();
        for on in ["t.id = s.k", "s.k = t.id", "t.id + 0 = s.k"] {
            for (store, engine) in engines() {
                filled(&engine).await;
                run(&engine, "DELETE FROM t WHERE n % 11 = 0").await;
                let sql = statement.replace("{source}", source).replace("{two}", &two);
                let sql = match sql.contains("t AS a") {
                    true => sql.replace("{on}", &on.replace("t.id", "a.id")),
                    false => sql.replace("{on}", on),
                };
                let changed = match engine.query(&sql).await {
                    Ok(changed) => {
                        let mut changed = render(&changed);
                        changed.sort();
                        Ok(changed)
                    }
                    Err(error) => Err(error.to_string()),
                };
                let sums =
                    "SELECT count(*), sum(id), sum(n), sum(id * n), count(name), max(name) FROM t";
                answers.push((store, on, changed, rows(&engine, sums).await));
            }
        }
        for (store, on, changed, sums) in &answers {
            assert_eq!(changed, &answers[0].2, "{store}, {on}: {statement}");
            assert_eq!(sums, &answers[0].3, "{store}, {on}: {statement}");
        }
    }
}
