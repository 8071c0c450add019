//! How events are read: texts, numbers, tables, columns that come and go, history, and what is refused.

use rhei_datafusion::arrow::datatypes::TimeUnit;
use rhei_datafusion::{
    Changes, DataFusionEngine, ErrorKind, EventFormat, EventReader, History, IgnoredEvent,
    Obstacle, Progress, UnknownColumns,
};

use super::{SOURCE, apply, read, reader};
use crate::common::{engines, rows, run};

const T: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT DEFAULT 'new', n INT)";

fn maxwell(kind: &str, data: &str) -> String {
    format!(r#"{{"database":"d","table":"t","type":"{kind}","ts":1,"data":{data}}}"#)
}

fn same(changes: Changes) -> Changes {
    changes
}

/// A table `t`, in memory.
async fn table() -> rhei_datafusion::SharedDataFusionEngine {
    let (_, engine) = engines().remove(0);
    run(&engine, T).await;
    engine
}

async fn contents(engine: &DataFusionEngine) -> Vec<String> {
    rows(engine, "SELECT * FROM t ORDER BY id").await
}

/// Events that must be refused: the error has all of `parts`.
async fn refused(engine: &DataFusionEngine, reader: &EventReader, events: &str, parts: &[&str]) {
    let error = read(engine, reader, events).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error}: {part}");
    }
}

#[tokio::test]
async fn columns_of_events_may_differ_in_case() {
    for (store, engine) in engines() {
        run(
            &engine,
            "CREATE TABLE t (id BIGINT PRIMARY KEY, username TEXT, n INT)",
        )
        .await;
        let event = |kind: &str, data: &str, old: &str| {
            let old = if old.is_empty() {
                String::new()
            } else {
                format!(r#","old":{old}"#)
            };
            format!(r#"{{"database":"d","table":"t","type":"{kind}","ts":1,"data":{data}{old}}}"#)
        };
        let events = [
            event("insert", r#"{"ID":1,"userName":"Ada","n":1}"#, ""),
            event("insert", r#"{"userName":"Grace","ID":2,"N":2}"#, ""),
            event(
                "update",
                r#"{"ID":3,"userName":"Grace H."}"#,
                r#"{"ID":2,"userName":"Grace"}"#,
            ),
            event("insert", r#"{"id":4,"username":"Edsger","n":4}"#, ""),
            event("delete", r#"{"ID":1,"userName":"Ada","n":1}"#, ""),
        ];
        apply(
            &engine,
            &reader(EventFormat::Maxwell),
            &events.concat(),
            same,
        )
        .await
        .unwrap();
        let expected = ["3 | Grace H. | 2", "4 | Edsger | 4"];
        assert_eq!(contents(&engine).await, expected, "{store}");
        let twice = event("insert", r#"{"ID":5,"userName":"x","username":"y"}"#, "");
        refused(
            &engine,
            &reader(EventFormat::Maxwell),
            &twice,
            &["'username' is there twice"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_text_has_events_one_after_the_other_or_in_a_list() {
    let engine = table().await;
    let reader = reader(EventFormat::Maxwell);
    let one = maxwell("insert", r#"{"id":1}"#);
    let two = maxwell("insert", r#"{"id":2}"#);
    for (text, count) in [
        (String::new(), 0),
        (" \n ".to_string(), 0),
        ("[]".to_string(), 0),
        (one.clone(), 1),
        (format!("\u{feff}{one}\r\n\r\n{two}\n"), 2),
        (format!("{one}{two}"), 2),
        (format!("\n [ {one} ,\n {two} ] \n"), 2),
    ] {
        let read = read(&engine, &reader, &text).await.unwrap();
        assert_eq!((read.events, read.rows), (count, count), "{text}");
    }
    refused(
        &engine,
        &reader,
        &format!("{one}\n{{\"a\":"),
        &["event 2", "EOF"],
    )
    .await;
    refused(
        &engine,
        &reader,
        &format!("[{one}"),
        &["the list of events"],
    )
    .await;
    refused(
        &engine,
        &reader,
        &format!("[{one}] {two}"),
        &["the list of events"],
    )
    .await;
    refused(&engine, &reader, "1", &["event 1 (Maxwell)", "expected"]).await;
    let error = engine.read_changes(&reader, b"{\xff").await.unwrap_err();
    assert!(error.to_string().contains("UTF-8 from byte 1"), "{error}");
}

#[tokio::test]
async fn events_are_numbered_also_those_that_are_no_rows() {
    for (store, engine) in engines() {
        run(&engine, T).await;
        let reader = reader(EventFormat::Maxwell).first_seq(10);
        let events = [
            maxwell("bootstrap-start", "{}"),
            maxwell("bootstrap-insert", r#"{"id":1,"n":1}"#),
            maxwell("insert", r#"{"id":2,"n":2}"#),
            maxwell("bootstrap-complete", "{}"),
        ];
        let read = read(&engine, &reader, &events.join("\n")).await.unwrap();
        assert_eq!(read.ignored[&IgnoredEvent::Snapshot], 2, "{store}");
        let applied = engine.apply_changes(SOURCE, read.changes).await.unwrap();
        assert_eq!(applied.watermark, Some(13), "{store}");

        // The last two once more, and one that is new.
        let next = [&events[2..], &[maxwell("update", r#"{"id":1,"n":3}"#)]].concat();
        let applied = apply(&engine, &reader.first_seq(12), &next.join("\n"), same).await;
        let applied = applied.unwrap();
        assert_eq!(applied.progress, Progress::Partly, "{store}");
        assert_eq!((applied.before, applied.updated), (1, 1), "{store}");
        assert_eq!(applied.watermark, Some(14), "{store}");
        assert_eq!(
            contents(&engine).await,
            ["1 | new | 3", "2 | new | 2"],
            "{store}"
        );
    }
    let engine = table().await;
    let last = reader(EventFormat::Maxwell).first_seq(u64::MAX);
    let one = maxwell("insert", r#"{"id":1}"#);
    assert_eq!(read(&engine, &last, &one).await.unwrap().rows, 1);
    refused(
        &engine,
        &last,
        &format!("{one}{one}"),
        &["event 2", "64 bits"],
    )
    .await;
}

#[tokio::test]
async fn events_may_have_numbers_with_gaps() {
    let engine = table().await;
    let event = |n: u64| maxwell("update", &format!(r#"{{"id":1,"n":{n}}}"#));
    let numbered = |seqs: &[u64]| EventReader::new(EventFormat::Maxwell).seqs(seqs);
    let events = format!("{}{}", event(1), event(2));
    let applied = apply(&engine, &numbered(&[5, 9]), &events, same)
        .await
        .unwrap();
    assert_eq!(applied.watermark, Some(9));
    // Read again from an earlier place, with more after them.
    let events = format!("{}{}{}", event(1), event(2), event(3));
    let applied = apply(&engine, &numbered(&[5, 9, 12]), &events, same)
        .await
        .unwrap();
    assert_eq!((applied.before, applied.watermark), (2, Some(12)));
    assert_eq!(contents(&engine).await, ["1 | new | 3"]);
    refused(
        &engine,
        &numbered(&[13]),
        &events,
        &["event 2", "EventReader::seqs"],
    )
    .await;
    refused(
        &engine,
        &numbered(&[13; 4]),
        &events,
        &["4 numbers", "3 events"],
    )
    .await;
}

#[tokio::test]
async fn no_events_change_nothing() {
    let engine = table().await;
    let reader = reader(EventFormat::Maxwell);
    for (current, after) in [
        (None, None),
        (None, Some(0)),
        (Some(7), Some(7)),
        (Some(7), None),
    ] {
        engine.reset_watermark(SOURCE, current).await.unwrap();
        let applied = apply(&engine, &reader, " ", |changes| match after {
            Some(after) => changes.after(after),
            None => changes,
        });
        let applied = applied.await.unwrap();
        assert_eq!(
            (applied.progress, applied.watermark),
            (Progress::Before, current)
        );
    }
    let gap = apply(&engine, &reader, "[]", |changes| changes.after(9)).await;
    assert!(gap.unwrap_err().to_string().contains('9'));
}

#[tokio::test]
async fn events_without_numbers_need_an_end() {
    let engine = table().await;
    let reader = EventReader::new(EventFormat::Maxwell);
    let one = maxwell("insert", r#"{"id":1,"n":1}"#);
    let error = apply(&engine, &reader, &one, same).await.unwrap_err();
    assert!(error.to_string().contains("Changes::upto"), "{error}");
    let applied = apply(&engine, &reader, &one, |changes| changes.upto(7)).await;
    assert_eq!(applied.unwrap().watermark, Some(7));
}

#[tokio::test]
async fn a_column_that_an_event_lacks_keeps_its_value_or_takes_its_default() {
    for (store, engine) in engines() {
        run(&engine, T).await;
        let events = [
            maxwell("insert", r#"{"id":1,"name":"a","n":1}"#),
            maxwell("insert", r#"{"id":2,"n":2}"#),
            maxwell("insert", r#"{"id":3,"name":null,"n":3}"#),
            maxwell("update", r#"{"id":1,"n":10}"#),
            maxwell("update", r#"{"n":30,"name":"c","id":3}"#),
            maxwell("update", r#"{"id":3,"name":"d"}"#),
            maxwell("delete", r#"{"id":4}"#),
            maxwell("insert", r#"{"id":5}"#),
        ];
        let reader = reader(EventFormat::Maxwell);
        let applied = apply(&engine, &reader, &events.join(""), same)
            .await
            .unwrap();
        assert_eq!((applied.inserted, applied.updated), (4, 3), "{store}");
        let expected = ["1 | a | 10", "2 | new | 2", "3 | d | 30", "5 | new | NULL"];
        assert_eq!(contents(&engine).await, expected, "{store}");
    }
}

#[tokio::test]
async fn a_column_that_became_null_may_be_left_out_by_maxwell() {
    let engine = table().await;
    let events = [
        maxwell("insert", r#"{"id":1,"name":"a","n":1}"#),
        r#"{"database":"d","table":"t","type":"update","data":{"id":1,"n":2},"old":{"name":"a","n":1}}"#.into(),
    ];
    apply(
        &engine,
        &reader(EventFormat::Maxwell),
        &events.join(""),
        same,
    )
    .await
    .unwrap();
    assert_eq!(contents(&engine).await, ["1 | NULL | 2"]);
}

#[tokio::test]
async fn labels_of_canal_are_texts_also_in_a_key() {
    let engine = table().await;
    run(
        &engine,
        "CREATE TABLE u (kind TEXT, id INT, tags TEXT, PRIMARY KEY (kind, id))",
    )
    .await;
    run(&engine, "INSERT INTO u VALUES ('a', 1, 'y')").await;
    let event = |kind: &str, tags: &str| {
        format!(
            r#"{{"type":"UPDATE","database":"d","table":"u","data":[{{"kind":"{kind}","id":"1","tags":"{tags}"}}],
            "old":[{{"kind":"1"}}],"mysqlType":{{"kind":"enum('a','it''s')","tags":"SET('x','y','z')"}}}}"#
        )
    };
    let reader = reader(EventFormat::Canal);
    let applied = apply(&engine, &reader, &event("2", "5"), same)
        .await
        .unwrap();
    assert_eq!(applied.updated, 1);
    assert_eq!(rows(&engine, "SELECT * FROM u").await, ["it's | 1 | x,z"]);
    for (kind, tags) in [("3", "0"), ("0", "8")] {
        refused(
            &engine,
            &reader,
            &event(kind, tags),
            &["no label", "ENUM or SET"],
        )
        .await;
    }
    apply(&engine, &reader.first_seq(2), &event("text", "0"), same)
        .await
        .unwrap();
    assert_eq!(
        rows(&engine, "SELECT * FROM u WHERE kind = 'text'").await,
        ["text | 1 | ''"]
    );
}

#[tokio::test]
async fn flattened_rows_may_have_columns_that_look_like_other_things() {
    let (_, engine) = engines().remove(0);
    run(
        &engine,
        "CREATE TABLE outbox (id BIGINT PRIMARY KEY, payload TEXT, schema TEXT, __v INT, __lsn BIGINT)",
    )
    .await;
    let flattened = reader(EventFormat::DebeziumFlattened).only_table("outbox");
    let events = [
        r#"{"id":1,"payload":{"schema":"x","id":7},"schema":"s","__v":7,"__lsn":42,"__op":"c","__table":"outbox"}"#,
        r#"{"schema":{"type":"struct","fields":[]},"payload":{"id":2,"__op":"c","__db":"d"}}"#,
        r#"{"source":{"db":"d"},"ddl":"ALTER TABLE outbox","tableChanges":[]}"#,
        r#"{"schema":null,"payload":null}"#,
    ];
    let lenient = flattened.clone().ignore_ddl().ignore_tombstones();
    let read = read(&engine, &lenient, &events.join("\n")).await.unwrap();
    assert_eq!(read.ignored[&IgnoredEvent::Ddl], 1);
    assert_eq!(read.ignored[&IgnoredEvent::Tombstone], 1);
    engine.apply_changes(SOURCE, read.changes).await.unwrap();
    let expected = [
        "1 | {\"schema\":\"x\",\"id\":7} | s | 7 | 42",
        "2 | NULL | NULL | NULL | NULL",
    ];
    assert_eq!(
        rows(&engine, "SELECT * FROM outbox ORDER BY id").await,
        expected
    );
    refused(&engine, &flattened, events[2], &["ignore_ddl"]).await;
    refused(&engine, &flattened, events[3], &["ignore_tombstones"]).await;
}

#[tokio::test]
async fn tables_are_those_of_the_source_or_chosen() {
    let (_, engine) = engines().remove(0);
    for table in ["t", "a", "b"] {
        run(
            &engine,
            &format!("CREATE TABLE {table} (id BIGINT PRIMARY KEY)"),
        )
        .await;
    }
    let event = |database: &str, table: &str, id: u64| {
        format!(
            r#"{{"database":"{database}","table":"{table}","type":"insert","data":{{"id":{id}}}}}"#
        )
    };
    let reader = EventReader::new(EventFormat::Maxwell).first_seq(1);
    let both = format!("{}{}", event("x", "t", 1), event("y", "t", 2));
    refused(
        &engine,
        &reader,
        &both,
        &["x.t", "y.t", "EventReader::table"],
    )
    .await;

    let chosen = reader.clone().table("x.t", "a").table("t", "b");
    apply(&engine, &chosen, &both, same).await.unwrap();
    assert_eq!(rows(&engine, "SELECT * FROM a").await, ["1"]);
    assert_eq!(rows(&engine, "SELECT * FROM b").await, ["2"]);

    // Shards of one table.
    let shards = reader.clone().first_seq(3).only_table("T");
    apply(&engine, &shards, &both, same).await.unwrap();
    assert_eq!(
        rows(&engine, "SELECT * FROM t ORDER BY id").await,
        ["1", "2"]
    );

    let unknown = event("x", "nowhere", 3);
    let later = reader.first_seq(5);
    let error = apply(&engine, &later, &unknown, same).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    let skipping = |changes: Changes| changes.skip(Obstacle::UnknownTable);
    let applied = apply(&engine, &later, &unknown, skipping).await.unwrap();
    assert_eq!((applied.skipped, applied.watermark), (1, Some(5)));
}

#[tokio::test]
async fn columns_that_the_table_lacks_are_for_the_policy() {
    for (store, engine) in engines() {
        run(&engine, T).await;
        let events = [
            r#"{"id":1,"i":1,"f":1,"b":true,"s":"x","m":1,"big":12345678901234567890,"o":{"a":1},"z":null}"#,
            r#"{"id":2,"i":-2,"f":2.5,"b":null,"s":"3","m":"y","big":1,"o":[],"z":null}"#,
        ];
        let events: Vec<String> = events.iter().map(|data| maxwell("insert", data)).collect();
        let events = events.join("\n");
        let reader = reader(EventFormat::Maxwell);
        let error = apply(&engine, &reader, &events, same).await.unwrap_err();
        assert!(error.to_string().contains("'i'"), "{store}: {error}");

        let applied = apply(&engine, &reader, &events, |changes| {
            changes.unknown_columns(UnknownColumns::Add)
        });
        let applied = applied.await.unwrap();
        assert_eq!(applied.added_columns.len(), 7, "{store}");
        assert_eq!(applied.ignored_columns, ["t.z"], "{store}");
        let types = "SELECT arrow_typeof(i), arrow_typeof(f), arrow_typeof(b), arrow_typeof(s), arrow_typeof(m), \
             arrow_typeof(big), arrow_typeof(o) FROM t LIMIT 1";
        assert_eq!(
            rows(&engine, types).await,
            ["Int64 | Float64 | Boolean | Utf8 | Utf8 | Utf8 | Utf8"],
            "{store}"
        );
        let expected = [
            "1 | 1.0 | true | x | 1 | 12345678901234567890 | {\"a\":1}",
            "-2 | 2.5 | NULL | 3 | y | 1 | []",
        ];
        let found = rows(&engine, "SELECT i, f, b, s, m, big, o FROM t ORDER BY id").await;
        assert_eq!(found, expected, "{store}");
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_an_obstacle() {
    for (store, engine) in engines() {
        run(&engine, T).await;
        let events = [
            maxwell("insert", r#"{"id":1,"n":1}"#),
            maxwell("insert", r#"{"id":2,"n":"many"}"#),
            maxwell("insert", r#"{"id":3,"n":3}"#),
            maxwell(
                "delete",
                r#"{"id":1,"n":"what a delete says of other columns"}"#,
            ),
            maxwell("insert", r#"{"id":"five","n":5}"#),
            maxwell("insert", r#"{"id":6,"n":3000000000}"#),
        ];
        let reader = reader(EventFormat::Maxwell);
        let error = apply(&engine, &reader, &events.join(""), same)
            .await
            .unwrap_err();
        let text = error.to_string();
        for part in [
            "shop", "table t", "id = 2", "_seq 2", "'n'", "Int32", "'many'", "BadValue",
        ] {
            assert!(text.contains(part), "{store}: {text}: {part}");
        }
        let skipping = |changes: Changes| changes.skip(Obstacle::BadValue);
        let applied = apply(&engine, &reader, &events.join(""), skipping)
            .await
            .unwrap();
        assert_eq!(
            (applied.skipped, applied.inserted, applied.deleted),
            (3, 2, 1),
            "{store}"
        );
        let seqs: Vec<_> = applied.skips.iter().map(|skip| skip.seq).collect();
        assert_eq!(seqs, [Some(2), Some(5), Some(6)], "{store}");
        assert_eq!(contents(&engine).await, ["3 | new | 3"], "{store}");
    }
}

#[tokio::test]
async fn what_did_not_change_and_was_not_sent_stays() {
    for (store, engine) in engines() {
        run(&engine, T).await;
        run(&engine, "INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2)").await;
        let update = |id: u64, name: &str| {
            format!(
                r#"{{"op":"u","before":null,"after":{{"id":{id},"name":{name},"n":9}},"source":{{"schema":"s","table":"t"}}}}"#
            )
        };
        let marks = [
            r#""__debezium_unavailable_value""#,
            r#""X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==""#,
            r#"["__debezium_unavailable_value"]"#,
            r#"{ "__debezium_unavailable_value" : "__debezium_unavailable_value" }"#,
            r#"["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]"#,
            "[95, 95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101]",
        ];
        for (place, mark) in marks.iter().enumerate() {
            let reader = reader(EventFormat::Debezium).first_seq(place as u64 + 1);
            apply(&engine, &reader, &update(1, mark), same)
                .await
                .unwrap();
            assert_eq!(
                contents(&engine).await,
                ["1 | one | 9", "2 | two | 2"],
                "{store}: {mark}"
            );
        }
        let other = reader(EventFormat::Debezium).first_seq(10).unavailable("?");
        apply(&engine, &other, &update(2, "\"?\""), same)
            .await
            .unwrap();
        apply(
            &engine,
            &other.clone().first_seq(11),
            &update(1, marks[0]),
            same,
        )
        .await
        .unwrap();
        let expected = ["1 | __debezium_unavailable_value | 9", "2 | two | 9"];
        assert_eq!(contents(&engine).await, expected, "{store}");

        // Nobody knows the value.
        let reader = reader(EventFormat::Debezium).first_seq(20);
        let error = apply(&engine, &reader, &update(3, marks[0]), same)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("NoRow"), "{store}: {error}");
    }
}

#[tokio::test]
async fn history_has_the_times_of_the_events() {
    for (store, engine) in engines() {
        for (table, time) in [("seconds", "BIGINT"), ("moments", "TIMESTAMP")] {
            run(
                &engine,
                &format!(
                    "CREATE TABLE {table} (id BIGINT, name TEXT, _rhei_valid_from {time} NOT NULL, \
                     _rhei_valid_to {time}, _rhei_operation TEXT NOT NULL)"
                ),
            )
            .await;
            let events = [
                r#"{"seq":1,"timestamp":100,"operation":"Insert","table":"t","row_id":"1","old_data":null,"new_data":{"id":1,"name":"a"}}"#,
                r#"{"seq":2,"timestamp":200,"operation":"Update","table":"t","row_id":"1","old_data":{"id":1,"name":"a"},"new_data":{"id":1,"name":"b"}}"#,
                r#"{"seq":3,"timestamp":300,"operation":"Delete","table":"t","row_id":"1","old_data":{"id":1,"name":"b"},"new_data":null}"#,
            ];
            let reader = EventReader::new(EventFormat::Rhei)
                .only_table(table)
                .history(table, History::by(["id"]));
            let read = read(&engine, &reader, &events.join("\n")).await.unwrap();
            engine.apply_changes(table, read.changes).await.unwrap();
        }
        let expected = [
            "1 | a | 100 | 200 | I",
            "1 | b | 200 | 300 | U",
            "1 | b | 300 | NULL | D",
        ];
        let found = rows(&engine, "SELECT * FROM seconds ORDER BY _rhei_valid_from").await;
        assert_eq!(found, expected, "{store}");
        let expected = [
            "1970-01-01T00:01:40 | 1970-01-01T00:03:20",
            "1970-01-01T00:03:20 | 1970-01-01T00:05:00",
            "1970-01-01T00:05:00 | NULL",
        ];
        let times =
            "SELECT _rhei_valid_from, _rhei_valid_to FROM moments ORDER BY _rhei_valid_from";
        assert_eq!(rows(&engine, times).await, expected, "{store}");
    }
}

#[tokio::test]
async fn what_an_event_does_not_tell_is_asked_for() {
    let (_, engine) = engines().remove(0);
    run(
        &engine,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, amount DECIMAL(10, 2), at TIMESTAMP, clock TIME, \
         serial BIGINT UNSIGNED, n BIGINT, f DOUBLE)",
    )
    .await;
    let event = |name: &str, value: &str| {
        format!(
            r#"{{"op":"c","after":{{"id":1,"{name}":{value}}},"source":{{"db":"d","table":"t"}}}}"#
        )
    };
    let debezium = reader(EventFormat::Debezium);
    let amount = event("amount", "\"1234\"");
    let parts = [
        "event 1 (Debezium)",
        "'amount'",
        "'1234'",
        "EventReader::decimals",
    ];
    refused(&engine, &debezium, &amount, &parts).await;
    for column in ["n", "f", "serial"] {
        let number = event(column, "\"1234\"");
        refused(
            &engine,
            &debezium,
            &number,
            &[column, "'1234'", "EventReader::decimals"],
        )
        .await;
    }
    for column in ["at", "clock"] {
        let time = event(column, "1000");
        refused(
            &engine,
            &debezium,
            &time,
            &[column, "1000", "EventReader::time_unit"],
        )
        .await;
        let known = debezium
            .clone()
            .time_unit_of(format!("t.{column}"), TimeUnit::Millisecond);
        assert_eq!(read(&engine, &known, &time).await.unwrap().rows, 1);
    }
    let serial = event("serial", "-1");
    let error = apply(&engine, &debezium, &serial, same).await.unwrap_err();
    assert!(error.to_string().contains("-1 does not fit"), "{error}");

    let ddl = r#"{"source":{"db":"d"},"ddl":"DROP TABLE t","tableChanges":[]}"#;
    refused(&engine, &debezium, ddl, &["EventReader::ignore_ddl"]).await;
    let flattened = reader(EventFormat::DebeziumFlattened);
    refused(&engine, &flattened, "null", &["ignore_tombstones"]).await;
    refused(&engine, &flattened, r#"{"id":1}"#, &["only_table"]).await;
}

#[tokio::test]
async fn an_event_of_another_format_is_refused_by_name() {
    let engine = table().await;
    for (format, event, part) in [
        (EventFormat::Rhei, r#"{"seq":1}"#, "missing field"),
        (
            EventFormat::Rhei,
            r#"{"seq":-1,"timestamp":0,"operation":"Insert","table":"t","new_data":{"id":1}}"#,
            "negative",
        ),
        (
            EventFormat::Rhei,
            r#"{"seq":1,"timestamp":0,"operation":"Upsert","table":"t","new_data":{"id":1}}"#,
            "'Upsert'",
        ),
        (
            EventFormat::Rhei,
            r#"{"seq":1,"timestamp":0,"operation":"Insert","table":"t","new_data":null}"#,
            "'new_data'",
        ),
        (
            EventFormat::Rhei,
            r#"{"seq":1,"timestamp":0,"operation":"Insert","table":"t","new_data":[1]}"#,
            "an object",
        ),
        (
            EventFormat::Debezium,
            r#"{"id":1,"__op":"c"}"#,
            "DebeziumFlattened",
        ),
        (EventFormat::Debezium, r#"{"op":"x"}"#, "'x'"),
        (
            EventFormat::Debezium,
            r#"{"op":"c","after":{"id":1}}"#,
            "'source'",
        ),
        (
            EventFormat::Debezium,
            r#"{"op":"d","before":null,"source":{"table":"t"}}"#,
            "'before'",
        ),
        (
            EventFormat::DebeziumFlattened,
            r#"{"id":1,"__op":"x","__table":"t"}"#,
            "'x'",
        ),
        (
            EventFormat::Maxwell,
            r#"{"type":"insert","database":"d","data":{}}"#,
            "'table'",
        ),
        (EventFormat::Maxwell, r#"{"type":"replace"}"#, "'replace'"),
        (
            EventFormat::Canal,
            r#"{"type":"INSERT","database":"d","table":"t"}"#,
            "'data'",
        ),
        (EventFormat::Canal, r#"{"type":"MERGE"}"#, "'MERGE'"),
        (EventFormat::Wal2json, r#"{"action":"X"}"#, "'X'"),
        (
            EventFormat::Wal2json,
            r#"{"action":"I","table":"t"}"#,
            "'columns'",
        ),
        (
            EventFormat::Wal2json,
            r#"{"action":"D","schema":"s","table":"t"}"#,
            "'identity'",
        ),
        (
            EventFormat::Wal2json,
            r#"{"action":"I","table":"t","timestamp":"soon","columns":[]}"#,
            "'soon'",
        ),
        (
            EventFormat::Maxwell,
            r#"{"type":"insert","database":"d","table":"t","data":{"id":1,"id":2}}"#,
            "twice",
        ),
    ] {
        refused(
            &engine,
            &EventReader::new(format),
            event,
            &["event 1 (", part, event],
        )
        .await;
    }
    assert_eq!(contents(&engine).await, [""; 0]);
}

#[tokio::test]
async fn an_update_that_changes_a_key_moves_the_row() {
    let events = [
        (
            EventFormat::Debezium,
            r#"{"op":"u","before":{"id":1,"name":"one","n":1},"after":{"id":7,"name":"one","n":1},"source":{"db":"d","table":"t"}}"#,
        ),
        (
            EventFormat::Maxwell,
            r#"{"type":"update","database":"d","table":"t","data":{"id":7,"name":"one","n":1},"old":{"id":1}}"#,
        ),
        (
            EventFormat::Canal,
            r#"{"type":"UPDATE","database":"d","table":"t","data":[{"id":"7","name":"one","n":"1"}],"old":[{"id":"1"}]}"#,
        ),
        (
            EventFormat::Wal2json,
            r#"{"action":"U","schema":"s","table":"t","columns":[{"name":"id","type":"bigint","value":7},{"name":"n","type":"int","value":1}],"identity":[{"name":"id","type":"bigint","value":1}]}"#,
        ),
        (
            EventFormat::Rhei,
            r#"{"seq":1,"timestamp":0,"operation":"Update","table":"t","row_id":"1","old_data":{"id":1},"new_data":{"id":7,"name":"one","n":1}}"#,
        ),
    ];
    for (format, event) in events {
        for (store, engine) in engines() {
            run(&engine, T).await;
            run(&engine, "INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2)").await;
            let applied = apply(&engine, &reader(format), event, same).await.unwrap();
            assert_eq!(applied.updated, 1, "{store}: {format:?}");
            let expected = ["2 | two | 2", "7 | one | 1"];
            assert_eq!(contents(&engine).await, expected, "{store}: {format:?}");
        }
    }
}

/// A connector of Debezium makes a delete and an insert of a change of a key, and a tombstone between them.
#[tokio::test]
async fn a_key_that_debezium_sends_as_a_delete_and_an_insert_is_moved() {
    let place = |at: u32| format!(r#""source":{{"db":"d","table":"t","lsn":{at}}}"#);
    let delete = |id: u32, at: u32| {
        let place = place(at);
        format!(r#"{{"op":"d","before":{{"id":{id},"name":null,"n":null}},"after":null,{place}}}"#)
    };
    let insert = |id: u32, name: &str, at: u32| {
        let place = place(at);
        format!(
            r#"{{"op":"c","before":null,"after":{{"id":{id},"name":"{name}","n":{id}}},{place}}}"#
        )
    };
    let to = |from: u32, to: u32, name: &str| {
        let (delete, insert) = (delete(from, from), insert(to, name, from));
        format!("{delete}\nnull\n{insert}\n")
    };
    let shifted = to(1, 2, "one") + &to(2, 3, "two") + &to(3, 4, "three");
    let swapped = to(1, 2, "one") + &to(2, 1, "two");
    let kept = to(1, 7, "__debezium_unavailable_value");
    let without_tombstone = shifted.replace("null\n{", "{");
    let listed = format!("[{}]", shifted.trim_end().replace('\n', ","));
    // Two changes: the row that is inserted is another one.
    let two = delete(1, 1) + "null" + &insert(7, "seven", 2);
    let mysql = shifted.replace(
        "\"lsn\":",
        "\"row\":0,\"lsn\":null,\"file\":\"binlog.1\",\"pos\":",
    );
    let all: [(&str, &[&str], u64); 7] = [
        (
            &shifted,
            &["2 | one | 2", "3 | two | 3", "4 | three | 4"],
            3,
        ),
        (
            &without_tombstone,
            &["2 | one | 2", "3 | two | 3", "4 | three | 4"],
            3,
        ),
        (&listed, &["2 | one | 2", "3 | two | 3", "4 | three | 4"], 3),
        (&mysql, &["2 | one | 2", "3 | two | 3", "4 | three | 4"], 3),
        (&swapped, &["1 | two | 1", "2 | one | 2", "3 | c | 3"], 2),
        (&kept, &["2 | b | 2", "3 | c | 3", "7 | a | 7"], 1),
        (&two, &["2 | b | 2", "3 | c | 3", "7 | seven | 7"], 0),
    ];
    for (events, expected, updated) in all {
        for (store, engine) in engines() {
            run(&engine, T).await;
            run(
                &engine,
                "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)",
            )
            .await;
            let reader = reader(EventFormat::Debezium);
            let applied = apply(&engine, &reader, events, same).await.unwrap();
            assert_eq!(contents(&engine).await, expected, "{store}: {events}");
            assert_eq!(applied.updated, updated, "{store}: {events}");
        }
    }
}

#[tokio::test]
async fn a_text_of_more_than_a_gibibyte_is_refused() {
    let engine = table().await;
    let text = " ".repeat((1 << 30) + 1);
    let error = read(&engine, &reader(EventFormat::Maxwell), &text).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
}
