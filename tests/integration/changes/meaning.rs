//! What each change means, in memory and in files: one test for each case.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use rhei_datafusion::arrow::compute::cast;
use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema};
use rhei_datafusion::{Applied, Changes, Obstacle, OlapEngine};

use super::events::{
    Event, ONE, SOURCE, THREE, TWO, apply, batch, contents, counted, create, delete, insert, of_t,
    refused, truncate, update, upsert,
};
use crate::common::{engines, rows, run};

/// Applies the events to a table with the rows 1, 2, 3, and checks the rows after them.
async fn after(events: &[Event], expected: &[&str]) -> Vec<Applied> {
    let mut all = Vec::new();
    for (store, engine) in engines() {
        create(&engine).await;
        let applied = apply(&engine, events).await.unwrap();
        assert_eq!(contents(&engine).await, expected, "{store}");
        assert_eq!(
            counted(&applied),
            events.len() as u64,
            "{store}: {applied:?}"
        );
        all.push(applied);
    }
    all
}

#[tokio::test]
async fn an_insert_of_a_new_key_adds_a_row() {
    for applied in after(
        &[insert(1, 4, "four", 40)],
        &[ONE, TWO, THREE, "4 | four | 40"],
    )
    .await
    {
        assert_eq!(applied.inserted, 1);
    }
}

#[tokio::test]
async fn an_insert_of_a_present_key_replaces_the_row() {
    for applied in after(&[insert(1, 2, "zwei", 2)], &[ONE, "2 | zwei | 2", THREE]).await {
        assert_eq!(applied.replaced, 1);
    }
}

#[tokio::test]
async fn strict_refuses_an_insert_of_a_present_key() {
    let changes = of_t(&[insert(7, 2, "zwei", 2)]).strict();
    refused(
        &changes,
        &["'orders'", "table t", "id = 2", "_seq 7", "strict"],
    )
    .await;
}

#[tokio::test]
async fn an_update_replaces_a_row() {
    for applied in after(&[update(1, 2, "zwei", 2)], &[ONE, "2 | zwei | 2", THREE]).await {
        assert_eq!(applied.updated, 1);
    }
}

#[tokio::test]
async fn an_update_of_several_rows_with_one_key_leaves_one() {
    for (store, engine) in engines() {
        create(&engine).await;
        run(&engine, "INSERT INTO t VALUES (2, 'again', 21)").await;
        let applied = apply(&engine, &[update(1, 2, "zwei", 2)]).await.unwrap();
        assert_eq!(applied.updated, 1, "{store}");
        assert_eq!(
            contents(&engine).await,
            [ONE, "2 | zwei | 2", THREE],
            "{store}"
        );
        run(&engine, "INSERT INTO t VALUES (2, 'again', 21)").await;
        apply(&engine, &[delete(2, 2)]).await.unwrap();
        assert_eq!(contents(&engine).await, [ONE, THREE], "{store}");
    }
}

#[tokio::test]
async fn an_update_of_an_absent_row_adds_it() {
    let expected = [ONE, TWO, THREE, "4 | four | 40"];
    for applied in after(&[update(1, 4, "four", 40)], &expected).await {
        assert_eq!(applied.absent_updates, 1);
    }
    let changes = of_t(&[update(7, 4, "four", 40)]).strict();
    refused(&changes, &["id = 4", "_seq 7", "strict"]).await;
}

#[tokio::test]
async fn a_partial_update_keeps_the_columns_that_were_not_sent() {
    let events = [
        update(1, 1, "eins", 0).unchanged(&["n"]),
        update(2, 2, "", 21).unchanged(&["name"]),
        update(3, 3, "", 0).unchanged(&["name", "n"]),
    ];
    let expected = ["1 | eins | 10", "2 | two | 21", THREE];
    for applied in after(&events, &expected).await {
        assert_eq!(applied.updated, 3);
    }
}

#[tokio::test]
async fn a_partial_update_keeps_what_the_changes_before_it_wrote() {
    let events = [
        insert(1, 4, "four", 40),
        update(2, 4, "vier", 0).unchanged(&["n"]),
        update(3, 4, "", 41).unchanged(&["name"]),
        update(4, 1, "eins", 11),
        update(5, 1, "", 12).unchanged(&["name"]),
        delete(6, 2),
        insert(7, 2, "zwei", 2),
        update(8, 2, "", 3).unchanged(&["name"]),
    ];
    after(
        &events,
        &["1 | eins | 12", "2 | zwei | 3", THREE, "4 | vier | 41"],
    )
    .await;
}

#[tokio::test]
async fn a_partial_update_of_an_absent_row_is_refused_or_skipped() {
    let events = [
        insert(1, 5, "five", 50),
        update(2, 4, "four", 0).unchanged(&["n"]),
    ];
    let changes = of_t(&events);
    refused(
        &changes,
        &["id = 4", "_seq 2", "unchanged", "Obstacle::NoRow"],
    )
    .await;
    for (store, engine) in engines() {
        create(&engine).await;
        let changes = changes.clone().skip(Obstacle::NoRow);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.inserted, applied.skipped), (1, 1), "{store}");
        assert_eq!(applied.skips[0].obstacle, Obstacle::NoRow);
        assert_eq!(applied.skips[0].seq, Some(2));
        assert!(
            applied.skips[0].message.contains("id = 4"),
            "{}",
            applied.skips[0]
        );
        assert_eq!(
            contents(&engine).await,
            [ONE, TWO, THREE, "5 | five | 50"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_delete_removes_a_row_or_does_nothing() {
    for applied in after(&[delete(1, 2), delete(2, 9)], &[ONE, THREE]).await {
        assert_eq!((applied.deleted, applied.absent_deletes), (1, 1));
    }
    refused(&of_t(&[delete(7, 9)]).strict(), &["id = 9", "_seq 7"]).await;
}

#[tokio::test]
async fn changes_of_one_key_take_effect_in_their_order() {
    let events = [
        insert(1, 4, "a", 1),
        delete(2, 4),
        insert(3, 4, "b", 2),
        update(4, 4, "c", 3),
        delete(5, 1),
        insert(6, 1, "d", 4),
        delete(7, 1),
        update(8, 2, "e", 5),
        delete(9, 2),
        upsert(10, 2, "f", 6),
        upsert(11, 2, "g", 7),
    ];
    for applied in after(&events, &["2 | g | 7", THREE, "4 | c | 3"]).await {
        assert_eq!((applied.inserted, applied.deleted), (4, 4), "{applied:?}");
        assert_eq!((applied.updated, applied.replaced), (2, 1), "{applied:?}");
    }
}

#[tokio::test]
async fn a_changed_key_moves_the_row() {
    let events = [
        update(1, 4, "vier", 4).from(1),
        update(2, 5, "", 0).from(4).unchanged(&["name", "n"]),
        update(3, 6, "", 22).from(2).unchanged(&["name"]),
    ];
    for applied in after(&events, &[THREE, "5 | vier | 4", "6 | two | 22"]).await {
        assert_eq!(applied.updated, 3);
    }
}

#[tokio::test]
async fn a_changed_key_replaces_the_row_that_is_there() {
    after(&[update(1, 2, "eins", 1).from(1)], &["2 | eins | 1", THREE]).await;
}

#[tokio::test]
async fn keys_can_be_swapped_and_shifted() {
    let swap = [
        update(1, 2, "", 0).from(1).unchanged(&["name", "n"]),
        update(2, 1, "", 0).from(2).unchanged(&["name", "n"]),
    ];
    after(&swap, &["1 | two | 20", "2 | one | 10", THREE]).await;
    let cycle = [
        update(1, 2, "one", 10).from(1),
        update(2, 3, "two", 20).from(2),
        update(3, 1, "three", 30).from(3),
    ];
    after(&cycle, &["1 | three | 30", "2 | one | 10", "3 | two | 20"]).await;
    // UPDATE t SET id = id + 1, in the order that meets each row before it has moved.
    let shift = [
        update(1, 2, "", 0).from(1).unchanged(&["name", "n"]),
        update(2, 3, "", 0).from(2).unchanged(&["name", "n"]),
        update(3, 4, "", 0).from(3).unchanged(&["name", "n"]),
    ];
    for applied in after(&shift, &["2 | one | 10", "3 | two | 20", "4 | three | 30"]).await {
        assert_eq!(applied.updated, 3);
    }
    // An update that keeps its key is of the same statement.
    let between = [
        update(1, 2, "one", 11).from(1),
        update(2, 3, "three", 31),
        upsert(3, 3, "three", 32),
        update(4, 1, "two", 21).from(2),
    ];
    after(
        &between,
        &["1 | two | 21", "2 | one | 11", "3 | three | 32"],
    )
    .await;
    // What ends the statement does not know of the row that was displaced.
    let deleted = [update(1, 2, "one", 10).from(1), delete(2, 2)];
    after(&deleted, &[THREE]).await;
    let partial = [
        update(1, 2, "one", 10).from(1),
        update(2, 2, "", 11).unchanged(&["name"]),
    ];
    after(&partial, &["2 | one | 11", THREE]).await;
    let again = [
        update(1, 2, "eins", 1).from(1),
        insert(2, 1, "new", 2),
        update(3, 4, "eins", 1).from(2),
    ];
    after(&again, &["1 | new | 2", THREE, "4 | eins | 1"]).await;
    let upserted = [
        update(1, 2, "eins", 1).from(1),
        upsert(2, 1, "new", 2),
        update(3, 4, "", 1).from(2).unchanged(&["name"]),
    ];
    after(&upserted, &["1 | new | 2", THREE, "4 | eins | 1"]).await;
    let elsewhere = [
        update(1, 2, "eins", 1).from(1),
        delete(2, 7),
        update(3, 4, "", 1).from(2).unchanged(&["name"]),
    ];
    after(&elsewhere, &[THREE, "4 | eins | 1"]).await;
    // A change that is skipped is as if it were not there.
    for (store, engine) in engines() {
        create(&engine).await;
        let mut nameless = insert(2, 0, "x", 1);
        nameless.id = None;
        let swap = [
            update(1, 2, "", 0).from(1).unchanged(&["name", "n"]),
            nameless,
            update(3, 9, "", 0).unchanged(&["n"]),
            update(4, 1, "", 0).from(2).unchanged(&["name", "n"]),
        ];
        let changes = of_t(&swap).skip(Obstacle::NullKey).skip(Obstacle::NoRow);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.updated, applied.skipped), (2, 2), "{store}");
        let expected = ["1 | two | 20", "2 | one | 10", THREE];
        assert_eq!(contents(&engine).await, expected, "{store}");
    }
    let temporary = [
        update(1, 9, "", 0).from(1).unchanged(&["name", "n"]),
        update(2, 1, "", 0).from(2).unchanged(&["name", "n"]),
        update(3, 2, "", 0).from(9).unchanged(&["name", "n"]),
    ];
    after(&temporary, &["1 | two | 20", "2 | one | 10", THREE]).await;
}

/// UPDATE OR REPLACE of SQLite logs no delete of the row that it replaces.
#[tokio::test]
async fn the_values_tell_a_row_that_moves_on_from_a_row_that_was_displaced() {
    let moves_on = [
        update(1, 2, "one", 10).from(1),
        update(2, 4, "one", 10).from(2),
    ];
    after(&moves_on, &[THREE, "4 | one | 10"]).await;
    // What the statement sets tells nothing, the other values do.
    let moves_on = [
        update(1, 2, "one", 11).from(1),
        update(2, 4, "one", 12).from(2),
    ];
    after(&moves_on, &[THREE, "4 | one | 12"]).await;
    let displaced = [
        update(1, 2, "one", 20).from(1),
        update(2, 4, "two", 20).from(2),
    ];
    after(&displaced, &["2 | one | 20", THREE, "4 | two | 20"]).await;
    // Of what was not sent nothing is known: the row that waits moves.
    let partial = [
        update(1, 2, "", 11).from(1).unchanged(&["name"]),
        update(2, 4, "", 11).from(2).unchanged(&["name"]),
    ];
    after(&partial, &["2 | one | 11", THREE, "4 | two | 11"]).await;
    // Who moved on leaves no row behind that waits.
    let and_back = [
        update(1, 2, "one", 10).from(1),
        update(2, 4, "one", 10).from(2),
        update(3, 1, "", 0).from(2).unchanged(&["name", "n"]),
    ];
    for (store, engine) in engines() {
        create(&engine).await;
        let changes = of_t(&and_back).skip(Obstacle::NoRow);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.updated, applied.skipped), (2, 1), "{store}");
        assert_eq!(contents(&engine).await, [THREE, "4 | one | 10"], "{store}");
    }
    // What the statement sets tells nothing: UPDATE t SET id = id + 1, n = n + 1 of rows that are alike.
    let alike = [
        update(1, 1, "x", 5),
        update(2, 2, "x", 5),
        update(3, 2, "x", 6).from(1),
        update(4, 3, "x", 6).from(2),
        update(5, 4, "three", 31).from(3),
    ];
    after(&alike, &["2 | x | 6", "3 | x | 6", "4 | three | 31"]).await;
    // NULL is a value like others.
    let mut nulls = [
        update(1, 1, "", 0),
        update(2, 2, "", 0).from(1),
        update(3, 5, "", 5).from(2),
    ];
    for event in &mut nulls {
        event.name = None;
    }
    after(&nulls, &[THREE, "5 | NULL | 5"]).await;
}

#[tokio::test]
async fn a_move_that_was_seen_before_ends_in_the_same_rows() {
    for (store, engine) in engines() {
        create(&engine).await;
        let events = [
            update(1, 4, "", 5).from(1).unchanged(&["name"]),
            update(2, 5, "", 0).from(4).unchanged(&["name", "n"]),
        ];
        for _ in 0..2 {
            apply(&engine, &events).await.unwrap();
            assert_eq!(
                contents(&engine).await,
                [TWO, THREE, "5 | one | 5"],
                "{store}"
            );
            // As if the rows had been copied at a later moment than the watermark says.
            engine.reset_watermark(SOURCE, None).await.unwrap();
            let last = [update(2, 5, "", 0).from(4).unchanged(&["name", "n"])];
            apply(&engine, &last).await.unwrap();
            assert_eq!(
                contents(&engine).await,
                [TWO, THREE, "5 | one | 5"],
                "{store}"
            );
            run(&engine, "UPDATE t SET id = 1 WHERE id = 5").await;
            engine.reset_watermark(SOURCE, None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_truncate_removes_all_rows_before_it() {
    for applied in after(&[truncate(1)], &[]).await {
        assert_eq!(applied.truncated, 1);
    }
    let events = [
        insert(1, 4, "four", 40),
        update(2, 1, "eins", 1),
        truncate(3),
        insert(4, 1, "a", 1),
        update(5, 2, "b", 2),
        truncate(6),
        insert(7, 2, "c", 3),
        delete(8, 1),
        update(9, 2, "", 4).unchanged(&["name"]),
    ];
    for applied in after(&events, &["2 | c | 4"]).await {
        assert_eq!((applied.truncated, applied.absent_deletes), (2, 1));
        assert_eq!((applied.inserted, applied.absent_updates), (3, 1));
    }
}

#[tokio::test]
async fn a_null_in_the_key_is_refused_or_skipped() {
    let mut nameless = insert(3, 0, "x", 1);
    nameless.id = None;
    let changes = of_t(&[insert(2, 4, "four", 40), nameless]);
    refused(
        &changes,
        &["table t", "_seq 3", "NULL", "Obstacle::NullKey"],
    )
    .await;
    for (store, engine) in engines() {
        create(&engine).await;
        let changes = changes.clone().skip(Obstacle::NullKey);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.inserted, applied.skipped), (1, 1), "{store}");
        assert_eq!(applied.watermark, Some(3), "{store}");
    }
}

#[tokio::test]
async fn a_table_without_a_key_takes_inserts_and_truncates() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, name TEXT, n BIGINT)").await;
        let same = [insert(1, 1, "a", 1), insert(2, 1, "a", 1)];
        assert_eq!(apply(&engine, &same).await.unwrap().inserted, 2, "{store}");
        apply(&engine, &same).await.unwrap();
        assert_eq!(
            contents(&engine).await,
            ["1 | a | 1", "1 | a | 1"],
            "{store}"
        );
        for event in [update(3, 1, "b", 2), delete(3, 1), upsert(3, 1, "b", 2)] {
            let error = apply(&engine, &[event]).await.unwrap_err();
            assert!(
                error.to_string().contains("PRIMARY KEY"),
                "{store}: {error}"
            );
            assert!(
                error.to_string().contains("Obstacle::NoKey"),
                "{store}: {error}"
            );
        }
        let changes = of_t(&[delete(3, 1), insert(4, 2, "c", 3)]).skip(Obstacle::NoKey);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.inserted, applied.skipped), (1, 1), "{store}");
        assert_eq!(contents(&engine).await.len(), 3, "{store}");
        apply(&engine, &[truncate(5), insert(6, 3, "d", 4)])
            .await
            .unwrap();
        assert_eq!(contents(&engine).await, ["3 | d | 4"], "{store}");
    }
}

#[tokio::test]
async fn an_unknown_table_is_refused_or_skipped() {
    let changes = of_t(&[insert(1, 4, "four", 40)])
        .table("nowhere", batch(&[insert(1, 1, "x", 1), delete(2, 1)]));
    refused(
        &changes,
        &[
            "table not found: nowhere",
            "'orders', _seq 1",
            "Obstacle::UnknownTable",
        ],
    )
    .await;
    for (store, engine) in engines() {
        create(&engine).await;
        let changes = changes.clone().skip(Obstacle::UnknownTable);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.inserted, applied.skipped), (1, 2), "{store}");
        assert_eq!(applied.skips[1].table, "nowhere", "{store}");
        assert_eq!(applied.watermark, Some(2), "{store}");
    }
}

#[tokio::test]
async fn changes_of_many_tables_are_one_commit() {
    for (store, engine) in engines() {
        create(&engine).await;
        run(
            &engine,
            "CREATE TABLE \"U\" (id BIGINT PRIMARY KEY, name TEXT, n BIGINT)",
        )
        .await;
        let version = engine.version().await.unwrap();
        let changes = of_t(&[insert(1, 4, "four", 40)])
            .table("U", batch(&[insert(2, 1, "x", 1)]))
            .table("T", batch(&[delete(3, 4), delete(4, 1)]));
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!(applied.version.0, version.0 + 1, "{store}");
        assert_eq!((applied.inserted, applied.deleted), (2, 2), "{store}");
        assert_eq!(contents(&engine).await, [TWO, THREE], "{store}");
        assert_eq!(
            rows(&engine, "SELECT * FROM \"U\"").await,
            ["1 | x | 1"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_reserved_column_must_make_sense() {
    let of = |column: &'static str, values: ArrayRef| {
        let batch = batch(&[insert(1, 4, "four", 40)]);
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, array)| match field.name() == column {
            true => (field.name().clone(), Arc::clone(&values)),
            false => (field.name().clone(), Arc::clone(array)),
        });
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Changes::new().table("t", batch)
    };
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    refused(
        &of("_op", text("merge")),
        &["table t", "_op", "'merge'", "upsert"],
    )
    .await;
    refused(
        &of("_op", Arc::new(Int64Array::from(vec![1]))),
        &["_op", "Int64"],
    )
    .await;
    refused(
        &of("_seq", Arc::new(Int64Array::from(vec![-1]))),
        &["_seq", "-1"],
    )
    .await;
    let none = Int64Array::from(vec![None::<i64>]);
    refused(&of("_seq", Arc::new(none)), &["_seq", "NULL"]).await;
    refused(&of("_unchanged", text("n")), &["_unchanged", "list"]).await;
    let falling = of_t(&[insert(5, 4, "four", 40), insert(4, 5, "five", 50)]);
    refused(&falling, &["table t", "_seq 4", "_seq 5", "sort"]).await;
    refused(
        &of_t(&[insert(5, 4, "four", 40)]).upto(4),
        &["_seq 5", "upto"],
    )
    .await;
    let unknown = of_t(&[update(1, 1, "a", 1).unchanged(&["colour"])]);
    refused(&unknown, &["'colour'"]).await;
}

#[tokio::test]
async fn what_stands_for_a_value_that_was_not_sent_is_no_value() {
    for (store, engine) in engines() {
        create(&engine).await;
        run(
            &engine,
            "CREATE TABLE u (id BIGINT PRIMARY KEY, name TEXT, n INT)",
        )
        .await;
        run(&engine, "INSERT INTO u VALUES (1, 'one', 10)").await;
        let mut event = update(1, 1, "eins", 0).unchanged(&["n"]);
        event.n = Some(i64::MAX);
        let changes = Changes::new().table("u", batch(&[event]));
        engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!(
            rows(&engine, "SELECT * FROM u").await,
            ["1 | eins | 10"],
            "{store}"
        );
    }
}

#[tokio::test]
async fn both_zeros_are_one_key() {
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id DOUBLE PRIMARY KEY, n BIGINT)").await;
        run(&engine, "INSERT INTO t VALUES (0.0, 1)").await;
        let of = |ids: Vec<f64>, seqs: Vec<u64>| {
            let ids: ArrayRef = Arc::new(Float64Array::from(ids));
            let numbers: ArrayRef = Arc::new(UInt64Array::from(seqs));
            let columns = [("id", ids), ("_seq", Arc::clone(&numbers)), ("n", numbers)];
            Changes::new().table("t", RecordBatch::try_from_iter(columns).unwrap())
        };
        let applied = engine
            .apply_changes(SOURCE, of(vec![-0.0], vec![2]))
            .await
            .unwrap();
        assert_eq!(applied.replaced, 1, "{store}");
        let applied = engine
            .apply_changes(SOURCE, of(vec![0.0, -0.0], vec![3, 4]))
            .await
            .unwrap();
        assert_eq!(applied.replaced, 2, "{store}");
        assert_eq!(rows(&engine, "SELECT n FROM t").await, ["4"], "{store}");
        run(
            &engine,
            "INSERT INTO t VALUES (0.0, 5) ON CONFLICT DO UPDATE SET n = excluded.n",
        )
        .await;
        assert_eq!(rows(&engine, "SELECT n FROM t").await, ["5"], "{store}");
    }
}

#[tokio::test]
async fn a_key_may_be_a_dictionary() {
    for (store, engine) in engines() {
        let dictionary = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
        let fields = vec![
            Field::new("id", dictionary.clone(), false),
            Field::new("n", DataType::Int64, true),
        ];
        let key = ["id".to_string()];
        let schema = Arc::new(Schema::new(fields));
        engine.create_table("t", &schema, &key).await.unwrap();
        let texts = |texts: [Option<&str>; 4]| {
            let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
            cast(&texts, &dictionary).unwrap()
        };
        let changes = RecordBatch::try_from_iter([
            (
                "_op",
                Arc::new(StringArray::from(vec!["I", "I", "U", "U"])) as ArrayRef,
            ),
            ("_seq", Arc::new(UInt64Array::from(vec![1, 2, 3, 4]))),
            ("id", texts([Some("a"), Some("b"), Some("c"), Some("b")])),
            ("_old_id", texts([None, None, Some("a"), None])),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ]);
        let changes = Changes::new().table("t", changes.unwrap());
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.inserted, applied.updated), (2, 2), "{store}");
        assert_eq!(contents(&engine).await, ["b | 4", "c | 3"], "{store}");
    }
}
