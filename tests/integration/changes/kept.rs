//! Tables that keep the history of their rows.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use rhei_datafusion::datafusion::common::ScalarValue;
use rhei_datafusion::{Applied, Changes, DataFusionEngine, DfOlapError, History, Progress};

use super::events::{Event, SOURCE, batch, counted, delete, insert, truncate, update, upsert};
use crate::common::{engines, refused, rows, run};
use crate::sql_file::render;

/// The events, each at the time of ten times its number.
fn timed(events: &[Event]) -> RecordBatch {
    let batch = batch(events);
    let times = events.iter().map(|event| event.seq as i64 * 10);
    let times = Arc::new(Int64Array::from_iter_values(times)) as ArrayRef;
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, array)| (field.name().clone(), Arc::clone(array)));
    RecordBatch::try_from_iter(columns.chain([("_at".to_string(), times)])).unwrap()
}

fn changes(events: &[Event]) -> Changes {
    Changes::new().history("t", History::by(["id"]), timed(events))
}

async fn apply(engine: &DataFusionEngine, events: &[Event]) -> Result<Applied, DfOlapError> {
    engine.apply_changes(SOURCE, changes(events)).await
}

async fn create(engine: &DataFusionEngine) {
    run(
        engine,
        "CREATE TABLE t (id BIGINT, name TEXT, n BIGINT, _rhei_valid_from BIGINT NOT NULL, \
         _rhei_valid_to BIGINT, _rhei_operation TEXT NOT NULL)",
    )
    .await;
}

async fn contents(engine: &DataFusionEngine) -> Vec<String> {
    let order = "ORDER BY id, _rhei_valid_from, _rhei_valid_to NULLS LAST, _rhei_operation";
    rows(engine, &format!("SELECT * FROM t {order}")).await
}

/// Applies the events in one call and one by one: the rows are the same.
async fn after(events: &[Event], expected: &[&str]) {
    for (store, engine) in engines() {
        create(&engine).await;
        let applied = apply(&engine, events).await.unwrap();
        assert_eq!(
            counted(&applied),
            events.len() as u64,
            "{store}: {applied:?}"
        );
        assert_eq!(contents(&engine).await, expected, "{store}");
        let again = apply(&engine, events).await.unwrap();
        assert_eq!(again.progress, Progress::Before, "{store}");
        assert_eq!(contents(&engine).await, expected, "{store}");

        run(&engine, "DROP TABLE t").await;
        engine.reset_watermark(SOURCE, None).await.unwrap();
        create(&engine).await;
        for event in events {
            apply(&engine, std::slice::from_ref(event)).await.unwrap();
        }
        assert_eq!(contents(&engine).await, expected, "{store}: one by one");
    }
}

#[tokio::test]
async fn each_change_ends_a_row_and_adds_one() {
    let events = [
        insert(1, 1, "one", 10),
        insert(2, 2, "two", 20),
        update(3, 1, "eins", 0).unchanged(&["n"]),
        update(4, 1, "", 11).unchanged(&["name"]),
        delete(5, 2),
        upsert(6, 3, "three", 30),
        upsert(7, 3, "drei", 31),
    ];
    let expected = [
        "1 | one | 10 | 10 | 30 | I",
        "1 | eins | 10 | 30 | 40 | U",
        "1 | eins | 11 | 40 | NULL | U",
        "2 | two | 20 | 20 | 50 | I",
        "2 | two | 20 | 50 | NULL | D",
        "3 | three | 30 | 60 | 70 | I",
        "3 | drei | 31 | 70 | NULL | U",
    ];
    after(&events, &expected).await;
}

#[tokio::test]
async fn a_row_that_comes_again_ends_its_tombstone() {
    let events = [
        insert(1, 1, "a", 1),
        delete(2, 1),
        delete(3, 1),
        insert(4, 1, "b", 2),
        delete(5, 1),
    ];
    let expected = [
        "1 | a | 1 | 10 | 20 | I",
        "1 | a | 1 | 20 | 40 | D",
        "1 | b | 2 | 40 | 50 | I",
        "1 | b | 2 | 50 | NULL | D",
    ];
    after(&events, &expected).await;
}

#[tokio::test]
async fn a_changed_key_ends_one_row_and_begins_another() {
    let events = [
        insert(1, 1, "one", 10),
        update(2, 2, "", 0).from(1).unchanged(&["name", "n"]),
    ];
    let expected = [
        "1 | one | 10 | 10 | 20 | I",
        "1 | one | 10 | 20 | NULL | D",
        "2 | one | 10 | 20 | NULL | U",
    ];
    after(&events, &expected).await;
}

#[tokio::test]
async fn swapped_keys_have_no_tombstones() {
    for (store, engine) in engines() {
        create(&engine).await;
        apply(&engine, &[insert(1, 1, "one", 10), insert(2, 2, "two", 20)])
            .await
            .unwrap();
        let swap = [
            update(3, 2, "", 0).from(1).unchanged(&["name", "n"]),
            update(4, 1, "", 0).from(2).unchanged(&["name", "n"]),
        ];
        apply(&engine, &swap).await.unwrap();
        let live = "SELECT id, name FROM t WHERE _rhei_valid_to IS NULL AND _rhei_operation <> 'D' ORDER BY id";
        assert_eq!(rows(&engine, live).await, ["1 | two", "2 | one"], "{store}");
        let open = "SELECT id FROM t WHERE _rhei_valid_to IS NULL GROUP BY id HAVING count(*) > 1";
        assert!(rows(&engine, open).await.is_empty(), "{store}");
    }
}

#[tokio::test]
async fn a_history_tells_moved_rows_apart_as_a_mirror_does() {
    for (second, third, expected) in [
        // Swapped, with another row of the statement between.
        (
            update(5, 3, "three", 31),
            update(6, 1, "two", 21).from(2),
            ["1 | two | 21", "2 | one | 10", "3 | three | 31"].as_slice(),
        ),
        // Replaced, and moved on.
        (
            update(5, 3, "three", 31),
            update(6, 4, "one", 10).from(2),
            &["3 | three | 31", "4 | one | 10"],
        ),
        // An insert ends the statement.
        (
            insert(5, 1, "new", 1),
            update(6, 4, "two", 20).from(2),
            &["1 | new | 1", "3 | three | 30", "4 | two | 20"],
        ),
    ] {
        for (store, engine) in engines() {
            create(&engine).await;
            let first = [
                insert(1, 1, "one", 10),
                insert(2, 2, "two", 20),
                insert(3, 3, "three", 30),
            ];
            apply(&engine, &first).await.unwrap();
            let moved = [
                update(4, 2, "one", 10).from(1),
                second.clone(),
                third.clone(),
            ];
            apply(&engine, &moved).await.unwrap();
            let live = "SELECT id, name, n FROM t WHERE _rhei_valid_to IS NULL AND _rhei_operation <> 'D' ORDER BY id";
            assert_eq!(rows(&engine, live).await, expected, "{store}");
            let open =
                "SELECT id FROM t WHERE _rhei_valid_to IS NULL GROUP BY id HAVING count(*) > 1";
            assert!(rows(&engine, open).await.is_empty(), "{store}");
        }
    }
}

#[tokio::test]
async fn a_truncate_ends_all_rows() {
    for (store, engine) in engines() {
        create(&engine).await;
        let first: Vec<Event> = (1..=2000).map(|at| insert(at, at as i64, "x", 1)).collect();
        apply(&engine, &first).await.unwrap();
        let more = [
            update(2001, 1, "y", 2),
            truncate(2002),
            insert(2003, 2, "z", 3),
            delete(2004, 3),
        ];
        let applied = apply(&engine, &more).await.unwrap();
        assert_eq!((applied.updated, applied.absent_deletes), (1, 1), "{store}");
        let open = "SELECT * FROM t WHERE _rhei_valid_to IS NULL";
        assert_eq!(
            rows(&engine, open).await,
            ["2 | z | 3 | 20030 | NULL | I"],
            "{store}"
        );
        let ended = "SELECT _rhei_valid_to, count(*) FROM t GROUP BY 1 ORDER BY 1 NULLS LAST";
        let expected = ["20010 | 1", "20020 | 2000", "NULL | 1"];
        assert_eq!(rows(&engine, ended).await, expected, "{store}");
    }
}

#[tokio::test]
async fn without_tombstones_a_delete_only_ends_the_row() {
    for (store, engine) in engines() {
        create(&engine).await;
        let events = [
            insert(1, 1, "a", 1),
            delete(2, 1),
            insert(3, 1, "b", 2),
            delete(4, 1),
        ];
        for event in events {
            let history = History::by(["id"]).without_tombstones();
            let changes = Changes::new().history("t", history, timed(&[event]));
            engine.apply_changes(SOURCE, changes).await.unwrap();
        }
        let expected = ["1 | a | 1 | 10 | 20 | I", "1 | b | 2 | 30 | 40 | I"];
        assert_eq!(contents(&engine).await, expected, "{store}");
    }
}

#[tokio::test]
async fn the_rows_of_a_moment_are_those_that_were_valid_then() {
    let events = [
        insert(1, 1, "a", 1),
        insert(2, 2, "b", 2),
        update(3, 1, "c", 3),
        delete(4, 2),
        insert(5, 2, "d", 4),
    ];
    let expected: [&[&str]; 6] = [
        &[],
        &["1 | a"],
        &["1 | a", "2 | b"],
        &["1 | c", "2 | b"],
        &["1 | c"],
        &["1 | c", "2 | d"],
    ];
    for (store, engine) in engines() {
        create(&engine).await;
        apply(&engine, &events).await.unwrap();
        for (time, expected) in (0..).step_by(10).zip(expected) {
            let sql = format!(
                "SELECT id, name FROM t WHERE _rhei_valid_from <= {time} AND \
                 (_rhei_valid_to IS NULL OR _rhei_valid_to > {time}) AND _rhei_operation <> 'D' ORDER BY id"
            );
            assert_eq!(rows(&engine, &sql).await, expected, "{store} at {time}");
            let sql = format!("SELECT id, name FROM history_at('t', {time}) ORDER BY id");
            assert_eq!(rows(&engine, &sql).await, expected, "{store} at {time}");
        }
        let found = engine
            .query_with_params(
                "SELECT name FROM HISTORY_AT($1, $2)",
                vec![ScalarValue::from("t"), ScalarValue::from(10i64)],
            )
            .await
            .unwrap();
        assert_eq!(render(&found), ["a"], "{store}");
        let all = "SELECT * FROM history_at('T', '20') AS h JOIN history_at('t', 50) USING (id)";
        let expected = ["1 | a | 1 | c | 3", "2 | b | 2 | d | 4"];
        assert_eq!(
            rows(&engine, &format!("{all} ORDER BY id")).await,
            expected,
            "{store}"
        );
        run(
            &engine,
            "CREATE VIEW v AS SELECT name FROM history_at('t', 10)",
        )
        .await;
        assert_eq!(rows(&engine, "SELECT * FROM v").await, ["a"], "{store}");
        run(&engine, "CREATE TABLE plain (id BIGINT)").await;
        for (sql, part) in [
            ("SELECT * FROM history_at('t')", "and a time"),
            ("SELECT * FROM history_at('nowhere', 1)", "nowhere"),
            (
                "SELECT * FROM history_at('plain', 1)",
                "plain has no column _rhei_valid_from",
            ),
            ("SELECT * FROM history_at('t', 10, 20)", "and a time"),
            ("SELECT * FROM history_at('t', random())", "random()"),
            ("SELECT * FROM history_at('t', NULL)", "a whole number"),
            ("SELECT * FROM history_at('t', 'soon')", "a whole number"),
            (
                "SELECT * FROM history_at('t', TIMESTAMP '2026-01-01 00:00:00')",
                "a whole number",
            ),
        ] {
            let error = refused(&engine, sql).await;
            assert!(error.to_string().contains(part), "{store}: {sql}: {error}");
        }
    }
}

#[tokio::test]
async fn times_may_be_timestamps() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (id BIGINT, _rhei_valid_from TIMESTAMP NOT NULL, \
             _rhei_valid_to TIMESTAMP, _rhei_operation TEXT NOT NULL)",
        )
        .await;
        let times = TimestampMicrosecondArray::from(vec![1_500_000, 2_000_001]);
        let changes = RecordBatch::try_from_iter([
            ("_seq", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
            ("_at", Arc::new(times)),
            ("id", Arc::new(Int64Array::from(vec![1, 1]))),
        ]);
        let changes = Changes::new().history("t", History::by(["id"]), changes.unwrap());
        engine.apply_changes(SOURCE, changes).await.unwrap();
        let expected = [
            "1 | 1970-01-01T00:00:01.500 | 1970-01-01T00:00:02.000001 | I",
            "1 | 1970-01-01T00:00:02.000001 | NULL | U",
        ];
        let sql = "SELECT * FROM t ORDER BY _rhei_valid_from";
        assert_eq!(rows(&engine, sql).await, expected, "{store}");
        for (time, expected) in [("01.499", &[][..]), ("01.5", &["1"]), ("02.1", &["1"])] {
            let sql = format!("SELECT * FROM history_at('t', '1970-01-01 00:00:{time}')");
            assert_eq!(rows(&engine, &sql).await, expected, "{store} at {time}");
        }
        let error = refused(&engine, "SELECT * FROM history_at('t', 1)").await;
        assert!(
            error.to_string().contains("a timestamp"),
            "{store}: {error}"
        );
    }
}

#[tokio::test]
async fn what_a_history_needs_is_named() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, name TEXT, n BIGINT)").await;
        let one = [insert(1, 1, "a", 1)];
        let missing = |part: &'static str, changes: Changes| {
            let engine = engine.clone();
            async move {
                let text = engine
                    .apply_changes(SOURCE, changes)
                    .await
                    .unwrap_err()
                    .to_string();
                assert!(
                    text.contains(part) && text.contains("table t"),
                    "{store}: {text}"
                );
            }
        };
        missing("_rhei_valid_from", changes(&one)).await;
        run(&engine, "DROP TABLE t").await;
        create(&engine).await;
        let untimed = Changes::new().history("t", History::by(["id"]), batch(&one));
        missing("_at", untimed).await;
        let none = Changes::new().history("t", History::by(["colour"]), timed(&one));
        missing("'colour'", none).await;
        let none = Changes::new().history("t", History::by([""; 0]), timed(&one));
        missing("History::by", none).await;
        let keyed = "CREATE TABLE keyed (id BIGINT PRIMARY KEY, _rhei_valid_from BIGINT NOT NULL, \
                     _rhei_valid_to BIGINT, _rhei_operation TEXT NOT NULL)";
        run(&engine, keyed).await;
        let of_keyed = Changes::new().history("keyed", History::by(["id"]), timed(&one));
        let text = engine
            .apply_changes(SOURCE, of_keyed)
            .await
            .unwrap_err()
            .to_string();
        assert!(text.contains("PRIMARY KEY"), "{store}: {text}");
        let mixed = changes(&one).table("t", batch(&[insert(2, 2, "b", 2)]));
        missing("the same history", mixed).await;
        let own: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let own = RecordBatch::try_from_iter([
            ("_seq", Arc::clone(&own)),
            ("_at", Arc::clone(&own)),
            ("id", Arc::clone(&own)),
            ("_rhei_valid_from", own),
        ]);
        let own = Changes::new().history("t", History::by(["id"]), own.unwrap());
        missing("leave it out", own).await;
        assert!(contents(&engine).await.is_empty(), "{store}");
    }
}
