//! The statements that rhei-sync 2.0.0 sends, with each kind of literal for each type.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_58::datatypes::{DataType, Field, Schema, TimeUnit};
use rhei_core::OlapEngine;
use rhei_datafusion::{DataFusionEngine, EngineBuilder, ErrorKind, SharedDataFusionEngine};

use crate::common::{engines, rows};

/// What DuckDB makes of each literal.
const LITERALS: &str = include_str!("rhei_literals.txt");

fn type_of(name: &str) -> DataType {
    match name {
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" => DataType::Int8,
        "SMALLINT" => DataType::Int16,
        "INTEGER" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "UTINYINT" => DataType::UInt8,
        "UBIGINT" => DataType::UInt64,
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "VARCHAR" => DataType::Utf8,
        "DATE" => DataType::Date32,
        "TIMESTAMP" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "DECIMAL(20,3)" => DataType::Decimal128(20, 3),
        other => panic!("{other}"),
    }
}

async fn create(engine: &SharedDataFusionEngine, data_type: &DataType, key: &[&str]) {
    create_with(engine, "t", data_type, key, &[]).await;
}

async fn create_with(
    engine: &SharedDataFusionEngine,
    table: &str,
    data_type: &DataType,
    key: &[&str],
    more: &[(&str, DataType)],
) {
    let mut fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("value", data_type.clone(), true),
    ];
    let more = more.iter();
    fields.extend(more.map(|(name, data_type)| Field::new(*name, data_type.clone(), true)));
    let key: Vec<String> = key.iter().map(|name| (*name).to_string()).collect();
    let schema = Arc::new(Schema::new(fields));
    OlapEngine::create_table(engine, table, &schema, &key)
        .await
        .unwrap();
}

/// What a statement leaves in the column of a row, or `error`.
async fn left(engine: &SharedDataFusionEngine, sql: &str, id: i64) -> String {
    if let Err(error) = OlapEngine::execute(engine, sql).await {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}: {error}");
        return "error".to_string();
    }
    let value = format!("SELECT value FROM t WHERE id = {id}");
    rows(engine, &value).await.join(", ")
}

/// What is different from DuckDB: of these types and literals this is the value, and so many rows are found; `*` stands
/// for what DuckDB has.
fn difference(name: &str, literal: &str) -> Option<(&'static str, &'static str)> {
    let is_integer = name.ends_with("INT") || name == "INTEGER";
    Some(match (name, literal) {
        // A cast to a whole number cuts the fraction off, and takes no text with one.
        (_, "2.5") if is_integer => ("2", "0"),
        (_, "'3.25'") if is_integer => ("error", "-"),
        ("FLOAT", "1e300") => ("inf", "0"),
        ("VARCHAR", "1e300") => ("1e300", "1"),
        // Days and microseconds since 1970, by which rows are found as well.
        ("DATE", "0") => ("1970-01-01", "1"),
        ("DATE", "1") => ("1970-01-02", "1"),
        ("DATE", "-5") => ("1969-12-27", "1"),
        ("DATE", "127") => ("1970-05-08", "1"),
        ("DATE", "300") => ("1970-10-28", "1"),
        ("TIMESTAMP", "0") => ("1970-01-01T00:00:00", "1"),
        ("TIMESTAMP", "1" | "1.0") => ("1970-01-01T00:00:00.000001", "1"),
        ("TIMESTAMP", "2.5") => ("1970-01-01T00:00:00.000002", "1"),
        ("TIMESTAMP", "-0.125") => ("1970-01-01T00:00:00", "1"),
        ("TIMESTAMP", "-5") => ("1969-12-31T23:59:59.999995", "1"),
        ("TIMESTAMP", "127") => ("1970-01-01T00:00:00.000127", "1"),
        ("TIMESTAMP", "300") => ("1970-01-01T00:00:00.000300", "1"),
        ("DECIMAL(20,3)", "TRUE" | "FALSE") => ("error", "-"),
        // As a whole number, a truth value is compared with whole numbers alone.
        ("BOOLEAN", "1.0" | "2.5" | "-0.125" | "1e300") => ("*", "error"),
        ("FLOAT" | "DOUBLE" | "VARCHAR", "TRUE" | "FALSE") => ("*", "error"),
        _ => return None,
    })
}

#[tokio::test]
async fn each_literal_means_the_same_in_each_statement() {
    let mut wrong: Vec<String> = Vec::new();
    let mut of_types: BTreeMap<&str, Vec<[&str; 3]>> = BTreeMap::new();
    for line in LITERALS.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(" | ").unwrap();
        let (rest, found) = rest.rsplit_once(" | ").unwrap();
        let (literal, value) = rest.rsplit_once(" | ").unwrap();
        of_types
            .entry(name)
            .or_default()
            .push([literal, value, found]);
    }
    for (store, engine) in engines() {
        for (name, literals) in &of_types {
            let data_type = type_of(name);
            create(&engine, &data_type, &["id"]).await;
            let note = [("note", DataType::Int64)];
            create_with(&engine, "keyed", &data_type, &["value", "id"], &note).await;
            let times = [
                ("_rhei_valid_from", DataType::Int64),
                ("_rhei_valid_to", DataType::Int64),
                ("_rhei_operation", DataType::Utf8),
            ];
            create_with(&engine, "past", &data_type, &[], &times).await;
            for [literal, value, found] in literals {
                // What no clock shows.
                if *name == "TIMESTAMP" && literal.contains("922337203685477580") {
                    continue;
                }
                let (mut expected, mut expected_found) = (*value, *found);
                if let Some((value, found)) = difference(name, literal) {
                    expected = if value == "*" { expected } else { value };
                    expected_found = found;
                }
                let execute = async |sql: &str| OlapEngine::execute(&engine, sql).await;
                execute("DELETE FROM t").await.unwrap();
                execute("INSERT INTO t (id, value) VALUES (3, NULL)")
                    .await
                    .unwrap();
                let insert = format!("INSERT INTO t (id, value) VALUES (1, {literal})");
                let several = format!("INSERT INTO t (id, value) VALUES (4, NULL), (2, {literal})");
                let planned = format!("INSERT INTO t (value, id) VALUES ({literal}, abs(-5))");
                let update = format!("UPDATE t SET value = {literal} WHERE id = 3");
                for (sql, id) in [(insert, 1), (several, 2), (planned, 5), (update, 3)] {
                    let left = left(&engine, &sql, id).await;
                    if left != expected {
                        wrong.push(format!("{store}: {name}: {sql}: {left}, not {expected}"));
                    }
                }
                let explain = format!("EXPLAIN INSERT INTO t (id, value) VALUES (9, {literal})");
                let explained = OlapEngine::query(&engine, &explain).await;
                assert!(
                    explained.is_ok() || expected == "error",
                    "{store}: {name}: {literal}"
                );
                if expected == "error" {
                    continue;
                }
                // A row by the literal that it was written with: by a column, by a part of its key, in a history.
                let of_history = "(id, value, _rhei_valid_from, _rhei_valid_to, _rhei_operation)";
                for sql in [
                    "DELETE FROM keyed".to_string(),
                    "DELETE FROM past".to_string(),
                    format!("INSERT INTO past {of_history} VALUES (1, {literal}, 10, NULL, 'I')"),
                    format!("INSERT INTO past {of_history} VALUES (1, {literal}, 9, 10, 'I')"),
                ] {
                    let done = execute(&sql).await;
                    assert!(done.is_ok(), "{store}: {name}: {sql}: {done:?}");
                }
                // A key has no NULL.
                let insert =
                    format!("INSERT INTO keyed (id, note, value) VALUES (1, 0, {literal})");
                let has_key = execute(&insert).await.is_ok();
                assert_eq!(has_key, expected != "NULL", "{store}: {name}: {insert}");
                let and = format!("value = {literal} AND id = 1");
                let by_column = [
                    format!("UPDATE t SET id = 7 WHERE {and}"),
                    format!("DELETE FROM t WHERE value = {literal} AND id = 7"),
                    format!(
                        "UPDATE past SET _rhei_valid_to = 20 WHERE {and} AND _rhei_valid_to IS NULL"
                    ),
                ];
                let by_key = [
                    format!("UPDATE keyed SET note = 5 WHERE {and}"),
                    format!("UPDATE keyed SET note = 6 WHERE id = 1 AND value = {literal}"),
                    format!("DELETE FROM keyed WHERE {and}"),
                ];
                let by_key = by_key.into_iter().filter(|_| has_key);
                for sql in by_column.into_iter().chain(by_key) {
                    let found = match execute(&sql).await {
                        Ok(count) => count.to_string(),
                        Err(_) => "error".to_string(),
                    };
                    if found != expected_found {
                        wrong.push(format!(
                            "{store}: {name}: {sql}: {found}, not {expected_found}"
                        ));
                    }
                }
            }
            for table in ["t", "keyed", "past"] {
                let drop = format!("DROP TABLE {table}");
                OlapEngine::execute(&engine, &drop).await.unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn names_may_be_reserved_words() {
    let words = [
        "order", "group", "select", "table", "user", "from", "values", "Mixed", "all", "default",
        "end",
    ];
    for (store, engine) in engines() {
        for table in ["orders", "order", "group", "select", "user", "Mixed"] {
            let mut fields = vec![Field::new("id", DataType::Int64, false)];
            fields.extend(words.map(|word| Field::new(word, DataType::Utf8, true)));
            let schema = Arc::new(Schema::new(fields));
            OlapEngine::create_table(&engine, table, &schema, &["id".to_string()])
                .await
                .unwrap();
            let mut failed = Vec::new();
            for word in words {
                for sql in [
                    format!("INSERT INTO {table} (id, {word}) VALUES (1, 'a'), (2, 'b')"),
                    format!("UPDATE {table} SET {word} = 'c' WHERE id = 1"),
                    format!("UPDATE {table} SET {word} = 'd' WHERE {word} = 'c' AND id = 1"),
                    format!("DELETE FROM {table} WHERE {word} = 'd' AND id = 1"),
                    format!("EXPLAIN INSERT INTO {table} (id, {word}) VALUES (1, 'a')"),
                    format!("DELETE FROM {table} WHERE id = 2"),
                ] {
                    let done = match sql.starts_with("EXPLAIN") {
                        true => OlapEngine::query(&engine, &sql).await.map(|_| 1),
                        false => OlapEngine::execute(&engine, &sql).await,
                    };
                    let expected = if sql.starts_with("INSERT") { 2 } else { 1 };
                    if !matches!(done, Ok(count) if count == expected) {
                        failed.push(format!("{sql}: {done:?}"));
                    }
                }
            }
            assert!(failed.is_empty(), "{store}: {}", failed.join("\n"));
        }
    }
}

#[tokio::test]
async fn the_statements_of_the_temporal_mode() {
    for (store, engine) in engines() {
        let fields = vec![
            Field::new("id", DataType::Int64, false),
            Field::new("userName", DataType::Utf8, true),
            Field::new("_rhei_valid_from", DataType::Int64, false),
            Field::new("_rhei_valid_to", DataType::Int64, true),
            Field::new("_rhei_operation", DataType::Utf8, false),
        ];
        OlapEngine::create_table(&engine, "t", &Arc::new(Schema::new(fields)), &[])
            .await
            .unwrap();
        let columns = "id, userName, _rhei_valid_from, _rhei_valid_to, _rhei_operation";
        for (sql, expected) in [
            (
                format!(
                    "INSERT INTO t ({columns}) VALUES (1, 'a', 10, NULL, 'I'), (2, 'b', 10, NULL, 'I')"
                ),
                2,
            ),
            (
                "UPDATE t SET _rhei_valid_to = 20 WHERE id = 1 AND _rhei_valid_to IS NULL".into(),
                1,
            ),
            (
                format!("INSERT INTO t ({columns}) VALUES (1, 'it''s', 20, NULL, 'U')"),
                1,
            ),
            (
                "UPDATE t SET _rhei_valid_to = 30 WHERE id = 2 AND _rhei_valid_to IS NULL".into(),
                1,
            ),
            (
                format!("INSERT INTO t ({columns}) VALUES (2, 'b', 30, NULL, 'D')"),
                1,
            ),
            (
                "UPDATE t SET _rhei_valid_to = 40 WHERE id = 9 AND _rhei_valid_to IS NULL".into(),
                0,
            ),
        ] {
            let done = OlapEngine::execute(&engine, &sql).await.unwrap();
            assert_eq!(done, expected, "{store}: {sql}");
        }
        let all = rows(&engine, "SELECT * FROM t ORDER BY id, _rhei_valid_from").await;
        let expected = [
            "1 | a | 10 | 20 | I",
            "1 | it's | 20 | NULL | U",
            "2 | b | 10 | 30 | I",
            "2 | b | 30 | NULL | D",
        ];
        assert_eq!(all, expected, "{store}");
    }
}

#[tokio::test]
async fn a_text_may_hold_anything_and_be_long() {
    let long = "x'\u{1F600}\n\\;-- ".repeat(100_000);
    let engine = SharedDataFusionEngine::new(DataFusionEngine::new());
    create(&engine, &DataType::Utf8, &["id"]).await;
    let literal = format!("'{}'", long.replace('\'', "''"));
    for sql in [
        format!("INSERT INTO t (id, value) VALUES (1, {literal}), (2, '')"),
        format!("UPDATE t SET value = {literal} WHERE id = 2"),
    ] {
        OlapEngine::execute(&engine, &sql).await.unwrap();
    }
    let lengths = rows(&engine, "SELECT octet_length(value) FROM t").await;
    assert_eq!(lengths, vec![long.len().to_string(); 2]);
    let found = format!("DELETE FROM t WHERE value = {literal}");
    assert_eq!(OlapEngine::execute(&engine, &found).await.unwrap(), 2);
}

#[tokio::test]
async fn an_insert_of_literals_may_be_longer_than_other_texts() {
    let engine = EngineBuilder::new().max_sql_bytes(1000).build().unwrap();
    let engine = SharedDataFusionEngine::new(engine);
    create(&engine, &DataType::Utf8, &["id"]).await;
    let insert = format!(
        "INSERT INTO t (id, value) VALUES (1, '{}')",
        "x".repeat(2000)
    );
    assert_eq!(OlapEngine::execute(&engine, &insert).await.unwrap(), 1);
    let error = rhei_datafusion::OlapEngine::execute(&engine, &insert).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ResourcesExhausted);
    let select = format!("SELECT '{}'", "x".repeat(2000));
    let error = OlapEngine::query(&engine, &select).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
}

#[tokio::test]
async fn times_that_are_stored_as_numbers_are_found_by_them() {
    for (store, engine) in engines() {
        let seconds = DataType::Timestamp(TimeUnit::Second, None);
        let fields = [
            ("sensor", DataType::Int64),
            ("at", seconds),
            ("day", DataType::Time64(TimeUnit::Microsecond)),
            ("value", DataType::Int64),
        ];
        let fields = fields.map(|(name, of)| Field::new(name, of, true));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let key = ["sensor".to_string(), "at".to_string()];
        OlapEngine::create_table(&engine, "s", &schema, &key)
            .await
            .unwrap();
        for (sql, expected) in [
            (
                "INSERT INTO s (sensor, at, day, value) VALUES (1, 1700000000, 5, 1), (1, 1700000001, 6, 2)",
                2,
            ),
            (
                "UPDATE s SET value = 9 WHERE sensor = 1 AND at = 1700000001",
                1,
            ),
            ("UPDATE s SET value = 8 WHERE at = -1700000001", 0),
            ("UPDATE s SET value = value + 1 WHERE day = 6", 1),
            ("DELETE FROM s WHERE sensor = 1 AND at = 1700000000", 1),
        ] {
            let done = OlapEngine::execute(&engine, sql).await.unwrap();
            assert_eq!(done, expected, "{store}: {sql}");
        }
        assert_eq!(
            rows(&engine, "SELECT value FROM s").await,
            ["10"],
            "{store}"
        );
        // Elsewhere nobody knows which unit is meant.
        let sql = "DELETE FROM s WHERE at = 1700000001";
        let error = rhei_datafusion::OlapEngine::execute(&engine, sql).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid, "{store}");
    }
}
