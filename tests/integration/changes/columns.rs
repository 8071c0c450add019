//! The columns of changes: those that are missing, unknown, of another type or in another case.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    UInt64Array,
};
use rhei_datafusion::arrow::datatypes::{DataType, Field, Schema};
use rhei_datafusion::{Changes, DfOlapError, ErrorKind, Obstacle, UnknownColumns};

use super::events::{
    Event, ONE, SOURCE, THREE, TWO, apply, batch, contents, counted, create, delete, insert,
    refused, update,
};
use crate::common::{engines, rows, run};

fn with_ids(columns: Vec<(&str, ArrayRef)>) -> Changes {
    let mut all: Vec<(&str, ArrayRef)> = vec![
        ("_seq", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("id", Arc::new(Int64Array::from(vec![1, 4]))),
    ];
    all.extend(columns);
    Changes::new().table("t", RecordBatch::try_from_iter(all).unwrap())
}

fn texts(values: [&str; 2]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn an_unknown_column_is_refused_added_or_ignored() {
    let more = || {
        with_ids(vec![
            ("name", texts(["a", "b"])),
            ("mail", texts(["c", "d"])),
        ])
    };
    refused(
        &more(),
        &["table t, from _seq 1 on", "'mail'", "unknown_columns"],
    )
    .await;
    for (store, engine) in engines() {
        create(&engine).await;
        let changes = more().unknown_columns(UnknownColumns::Ignore);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!(applied.ignored_columns, ["t.mail"], "{store}");
        assert_eq!(contents(&engine).await[0], "1 | a | 10", "{store}");
        engine.reset_watermark(SOURCE, None).await.unwrap();

        let version = engine.version().await.unwrap();
        let changes = more().unknown_columns(UnknownColumns::Add);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!(applied.added_columns, ["t.mail"], "{store}");
        assert_eq!(applied.version.0, version.0 + 1, "{store}: one commit");
        let expected = [
            "1 | a | 10 | c",
            "2 | two | 20 | NULL",
            "3 | three | 30 | NULL",
            "4 | b | NULL | d",
        ];
        assert_eq!(contents(&engine).await, expected, "{store}");
        assert_eq!(
            engine.table_schema("t").await.unwrap().field(3).data_type(),
            &DataType::Utf8
        );
    }
}

#[tokio::test]
async fn a_missing_column_keeps_its_value_or_takes_its_default() {
    for (store, engine) in engines() {
        create(&engine).await;
        run(&engine, "ALTER TABLE t ADD COLUMN state TEXT DEFAULT 'new'").await;
        run(&engine, "UPDATE t SET state = 'old'").await;
        let applied = engine.apply_changes(SOURCE, with_ids(vec![("name", texts(["a", "b"]))]));
        assert_eq!(applied.await.unwrap().replaced, 1, "{store}");
        let expected = [
            "1 | a | 10 | old",
            "2 | two | 20 | old",
            "3 | three | 30 | old",
            "4 | b | NULL | new",
        ];
        assert_eq!(contents(&engine).await, expected, "{store}");
        // An insert is a whole row.
        apply(&engine, &[insert(3, 1, "x", 1)]).await.unwrap();
        assert_eq!(contents(&engine).await[0], "1 | x | 1 | new", "{store}");
    }
}

#[tokio::test]
async fn a_new_row_needs_each_column_that_is_not_null() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, n BIGINT NOT NULL)",
        )
        .await;
        run(&engine, "INSERT INTO t VALUES (1, 'one', 10)").await;
        let changes = with_ids(vec![("name", texts(["a", "b"]))]);
        let error = engine
            .apply_changes(SOURCE, changes.clone())
            .await
            .unwrap_err();
        for part in ["id = 4", "_seq 2", "'n'", "NOT NULL", "Obstacle::BadValue"] {
            assert!(error.to_string().contains(part), "{store}: {error}: {part}");
        }
        let changes = changes.skip(Obstacle::BadValue);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.replaced, applied.skipped), (1, 1), "{store}");
        assert_eq!(contents(&engine).await, ["1 | a | 10"], "{store}");
        let mut null = update(3, 1, "b", 0);
        null.n = None;
        let error = apply(&engine, &[null]).await.unwrap_err().to_string();
        assert!(
            error.contains("id = 1") && error.contains("NOT NULL"),
            "{store}: {error}"
        );
        // A delete has no values but the key's.
        apply(&engine, &[delete(3, 1)]).await.unwrap();
        assert!(contents(&engine).await.is_empty(), "{store}");
    }
}

#[tokio::test]
async fn values_of_other_types_fit_without_loss_or_are_refused() {
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![5, 6]));
    let float: ArrayRef = Arc::new(Float64Array::from(vec![5.0, 6.0]));
    for values in [narrow, float] {
        for (store, engine) in engines() {
            create(&engine).await;
            let changes = with_ids(vec![("n", Arc::clone(&values))]);
            engine.apply_changes(SOURCE, changes).await.unwrap();
            let expected = ["1 | one | 5", TWO, THREE, "4 | NULL | 6"];
            assert_eq!(contents(&engine).await, expected, "{store}");
        }
    }
    let half: ArrayRef = Arc::new(Float64Array::from(vec![5.0, 6.5]));
    let parts = [
        "id = 4",
        "_seq 2",
        "'n'",
        "Int64",
        "6.5",
        "Float64",
        "Obstacle::BadValue",
    ];
    refused(&with_ids(vec![("n", half)]), &parts).await;
    let wide: ArrayRef = Arc::new(UInt64Array::from(vec![5, u64::MAX]));
    refused(
        &with_ids(vec![("n", wide)]),
        &["id = 4", "18446744073709551615"],
    )
    .await;
    let parts = ["from _seq 1 on", "'n'", "Int64", "Utf8"];
    refused(&with_ids(vec![("n", texts(["5", "6"]))]), &parts).await;
}

#[tokio::test]
async fn a_batch_without_operations_is_upserts() {
    for (store, engine) in engines() {
        create(&engine).await;
        let changes = with_ids(vec![("name", texts(["a", "b"]))]);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!((applied.replaced, applied.inserted), (1, 1), "{store}");
        for letter in [
            "i", "U", "p", "D", "INSERT", "Update", "UPSERT", "delete", "t",
        ] {
            let event = Event {
                op: letter,
                ..insert(applied.watermark.unwrap() + 1, 1, "x", 1)
            };
            let applied = apply(&engine, &[event]).await.unwrap();
            let counts = match letter.to_ascii_lowercase().as_str() {
                "i" | "insert" | "p" | "upsert" => applied.inserted + applied.replaced,
                "u" | "update" => applied.updated + applied.absent_updates,
                "d" | "delete" => applied.deleted + applied.absent_deletes,
                _ => applied.truncated,
            };
            assert_eq!(counts, 1, "{store}: {letter}: {applied:?}");
            engine.reset_watermark(SOURCE, 2).await.unwrap();
        }
    }
}

/// The columns of a batch under other names.
fn named(events: &[Event], names: &[(&str, &str)]) -> RecordBatch {
    let batch = batch(events);
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| {
        let of_field = |pair: &&(&str, &str)| pair.0 == field.name();
        let name = names.iter().find(of_field).map(|pair| pair.1);
        let field = field.as_ref().clone();
        match name {
            Some(name) => field.with_name(name),
            None => field,
        }
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    RecordBatch::try_new(schema, batch.columns().to_vec()).unwrap()
}

#[tokio::test]
async fn a_column_may_differ_in_case_where_none_has_the_very_name() {
    for (store, engine) in engines() {
        create(&engine).await;
        let names = [("id", "ID"), ("_old_id", "_old_Id"), ("name", "Name")];
        let events = [
            insert(1, 4, "four", 40),
            update(2, 5, "five", 50).from(4),
            update(3, 1, "", 11).unchanged(&["NAME"]),
            delete(4, 2),
        ];
        let changes = Changes::new().table("t", named(&events, &names));
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert_eq!(counted(&applied), 4, "{store}: {applied:?}");
        let expected = ["1 | one | 11", THREE, "5 | five | 50"];
        assert_eq!(contents(&engine).await, expected, "{store}");
        // It is not added as another one.
        let changes = Changes::new().table("t", named(&[insert(5, 6, "six", 60)], &names));
        let changes = changes.unknown_columns(UnknownColumns::Add);
        let applied = engine.apply_changes(SOURCE, changes).await.unwrap();
        assert!(applied.added_columns.is_empty(), "{store}: {applied:?}");

        run(&engine, "ALTER TABLE t ADD COLUMN \"NAME\" TEXT").await;
        let of_names = |names: &[(&str, &str)]| {
            let changes = Changes::new().table("t", named(&[insert(6, 7, "seven", 70)], names));
            engine.apply_changes(SOURCE, changes)
        };
        // Of several columns none is meant; and two may not be the same one.
        let error = of_names(&names).await.unwrap_err().to_string();
        assert!(
            error.contains("a column 'Name' that the table has not"),
            "{store}: {error}"
        );
        let error = of_names(&[("name", "N")]).await.unwrap_err().to_string();
        assert!(error.contains("are the column 'n'"), "{store}: {error}");
        of_names(&[("name", "NAME")]).await.unwrap();
        let seven = rows(&engine, "SELECT * FROM t WHERE id = 7").await;
        assert_eq!(seven, ["7 | NULL | 70 | seven"], "{store}");
    }
}

#[tokio::test]
async fn a_column_of_a_type_that_no_file_holds_is_not_added_to_a_table_in_files() {
    for (store, engine) in engines() {
        create(&engine).await;
        let bytes: ArrayRef =
            Arc::new(FixedSizeBinaryArray::try_from_iter([b"ab"].into_iter()).unwrap());
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let row = RecordBatch::try_from_iter([("id", ids), ("code", bytes)]).unwrap();
        let changes = Changes::new()
            .table("t", row.clone())
            .upto(1)
            .unknown_columns(UnknownColumns::Add);
        let applied = engine.apply_changes(SOURCE, changes).await;
        let schema = row.schema();
        let filled = futures::stream::iter([Ok::<_, DfOlapError>(row)]);
        let filled = engine
            .create_table_from("filled", &schema, &[], filled)
            .await;
        if store == "memory" {
            assert_eq!(applied.unwrap().added_columns, ["t.code"]);
            assert_eq!(filled.unwrap(), 1);
            continue;
        }
        for error in [applied.unwrap_err(), filled.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{store}: {error}");
            assert!(
                error
                    .to_string()
                    .contains("column 'code' has the type FixedSizeBinary(2)"),
                "{error}"
            );
        }
        assert_eq!(contents(&engine).await, [ONE, TWO, THREE], "{store}");
    }
}
