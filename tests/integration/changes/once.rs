//! Each change is applied once: watermarks, replays, gaps, several callers, several processes.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use rhei_datafusion::{
    Changes, DataFusionEngine, ErrorKind, Progress, SharedDataFusionEngine, StatementOptions,
};

use super::events::{SOURCE, apply, counted, create, delete, insert, of_t, update};
use crate::common::{at_once, engines, fresh_folder, number, rows, run, vortex};

fn open(folder: &std::path::Path) -> SharedDataFusionEngine {
    SharedDataFusionEngine::new(DataFusionEngine::with_storage(vortex(folder)).unwrap())
}

async fn seq(engine: &DataFusionEngine) -> Option<u64> {
    engine.watermark(SOURCE).await.unwrap().map(|at| at.seq)
}

#[tokio::test]
async fn changes_that_were_applied_before_are_left_out_one_by_one() {
    for (store, engine) in engines() {
        create(&engine).await;
        let events = [
            update(2, 1, "a", 1),
            insert(4, 4, "b", 2),
            delete(4, 2),
            update(7, 1, "c", 3),
        ];
        let applied = apply(&engine, &events[..3]).await.unwrap();
        assert_eq!(applied.progress, Progress::Now, "{store}");
        assert_eq!((applied.before, applied.watermark), (0, Some(4)), "{store}");
        run(&engine, "UPDATE t SET name = 'mine' WHERE id = 4").await;

        let applied = apply(&engine, &events[1..]).await.unwrap();
        assert_eq!(applied.progress, Progress::Partly, "{store}");
        assert_eq!((applied.before, applied.updated), (2, 1), "{store}");
        assert_eq!(
            (applied.watermark, counted(&applied)),
            (Some(7), 3),
            "{store}"
        );
        let expected = ["1 | c | 3", "3 | three | 30", "4 | mine | 2"];
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            expected,
            "{store}"
        );

        let version = engine.version().await.unwrap();
        for part in [&events[..], &events[..1], &events[2..]] {
            let applied = apply(&engine, part).await.unwrap();
            assert_eq!(applied.progress, Progress::Before, "{store}");
            assert_eq!(applied.before, part.len() as u64, "{store}");
            assert_eq!(applied.version, version, "{store}");
            assert_eq!(applied.watermark, Some(7), "{store}");
        }
        assert_eq!(engine.version().await.unwrap(), version, "{store}");
    }
}

#[tokio::test]
async fn a_gap_is_an_error_with_both_numbers() {
    for (store, engine) in engines() {
        create(&engine).await;
        let first = of_t(&[insert(6, 4, "a", 1)]);
        let error = engine
            .apply_changes(SOURCE, first.clone().after(5))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{store}");
        let text = error.to_string();
        assert!(
            text.contains("no changes are applied yet") && text.contains("after 5"),
            "{text}"
        );
        engine.apply_changes(SOURCE, first.after(0)).await.unwrap();

        let next = of_t(&[insert(9, 5, "b", 2)]);
        let error = engine
            .apply_changes(SOURCE, next.clone().after(8))
            .await
            .unwrap_err();
        let text = error.to_string();
        for part in ["'orders'", "up to 6", "after 8", "reset_watermark"] {
            assert!(text.contains(part), "{store}: {text}");
        }
        assert_eq!(seq(&engine).await, Some(6), "{store}");
        engine.reset_watermark(SOURCE, 8).await.unwrap();
        engine.apply_changes(SOURCE, next.after(8)).await.unwrap();
        // What lies before the watermark is no gap.
        let late = of_t(&[insert(9, 5, "b", 2), insert(10, 6, "c", 3)]).after(3);
        let applied = engine.apply_changes(SOURCE, late).await.unwrap();
        assert_eq!((applied.before, applied.inserted), (1, 1), "{store}");
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            6,
            "{store}"
        );
    }
}

#[tokio::test]
async fn changes_without_numbers_are_applied_by_the_numbers_of_their_batch() {
    let ids = |ids: Vec<i64>| {
        let ids = Arc::new(Int64Array::from(ids)) as ArrayRef;
        Changes::new().table("t", RecordBatch::try_from_iter([("id", ids)]).unwrap())
    };
    for (store, engine) in engines() {
        create(&engine).await;
        let apply = |changes: Changes| engine.apply_changes(SOURCE, changes);
        let text = apply(ids(vec![4])).await.unwrap_err().to_string();
        assert!(
            text.contains("_seq") && text.contains("upto"),
            "{store}: {text}"
        );
        assert_eq!(
            apply(ids(vec![4]).upto(10)).await.unwrap().inserted,
            1,
            "{store}"
        );
        let again = apply(ids(vec![4, 5]).upto(10)).await.unwrap();
        assert_eq!(
            (again.progress, again.before),
            (Progress::Before, 2),
            "{store}"
        );
        assert_eq!(
            apply(ids(vec![5]).after(10).upto(20))
                .await
                .unwrap()
                .inserted,
            1,
            "{store}"
        );
        // Which of these are new is not known.
        let text = apply(ids(vec![5, 6]).upto(30))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("up to 20") && text.contains("after"),
            "{store}: {text}"
        );
        let text = apply(ids(vec![5, 6]).after(10).upto(30))
            .await
            .unwrap_err()
            .to_string();
        for part in ["up to 20", "after 10", "up to 30", "_seq"] {
            assert!(text.contains(part), "{store}: {text}");
        }
        let mixed = ids(vec![6]).table("t", super::events::batch(&[insert(25, 7, "x", 1)]));
        let text = apply(mixed.upto(30)).await.unwrap_err().to_string();
        assert!(text.contains("_seq"), "{store}: {text}");
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t").await,
            5,
            "{store}"
        );
    }
}

#[tokio::test]
async fn the_position_and_the_watermark_are_in_the_commit_of_the_changes() {
    for (store, engine) in engines() {
        create(&engine).await;
        let first = of_t(&[insert(3, 4, "a", 1)]).position("lsn 3");
        let applied = engine.apply_changes(SOURCE, first).await.unwrap();
        let watermark = engine.watermark(SOURCE).await.unwrap().unwrap();
        assert_eq!(
            watermark.position.as_deref(),
            Some(&b"lsn 3"[..]),
            "{store}"
        );
        assert_eq!(watermark.version, applied.version, "{store}");
        // A source that has nothing new may say how far it has read.
        let nothing = Changes::new().upto(9).position("lsn 9");
        let applied = engine.apply_changes(SOURCE, nothing.clone()).await.unwrap();
        assert_eq!(
            (applied.progress, applied.watermark),
            (Progress::Now, Some(9)),
            "{store}"
        );
        assert_eq!(counted(&applied), 0, "{store}");
        // A call without a position keeps the one that is there: from it, nothing is missed.
        let without = Changes::new().upto(9 + 1);
        engine.apply_changes(SOURCE, without).await.unwrap();
        // What is older does not take the position back.
        let older = Changes::new().upto(8).position("lsn 8");
        engine.apply_changes(SOURCE, older).await.unwrap();
        let watermark = engine.watermark(SOURCE).await.unwrap().unwrap();
        assert_eq!(
            watermark.position.as_deref(),
            Some(&b"lsn 9"[..]),
            "{store}"
        );

        engine
            .apply_changes("other", Changes::new().upto(1))
            .await
            .unwrap();
        let all = engine.watermarks().await.unwrap();
        let all: Vec<_> = all
            .iter()
            .map(|(source, at)| (source.as_str(), at.seq))
            .collect();
        assert_eq!(all, [(SOURCE, 10), ("other", 1)], "{store}");

        engine.reset_watermark(SOURCE, 5).await.unwrap();
        let watermark = engine.watermark(SOURCE).await.unwrap().unwrap();
        assert_eq!((watermark.seq, watermark.position), (5, None), "{store}");
        engine.reset_watermark(SOURCE, None).await.unwrap();
        assert_eq!(engine.watermark(SOURCE).await.unwrap(), None, "{store}");

        let long = Changes::new().upto(11).position(vec![0; 4097]);
        let text = engine
            .apply_changes(SOURCE, long)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("4096") && text.contains("4097"),
            "{store}: {text}"
        );
        let whole = Changes::new().upto(11).position(vec![7; 4096]);
        engine.apply_changes(SOURCE, whole).await.unwrap();
        for name in [String::new(), "s".repeat(256)] {
            let error = engine
                .apply_changes(&name, Changes::new().upto(1))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{store}");
            engine.reset_watermark(&name, 1).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn watermarks_outlive_checkpoints_and_are_seen_by_other_engines() {
    let folder = fresh_folder();
    let (engine, other) = (open(&folder), open(&folder));
    create(&engine).await;
    let long = "s".repeat(255);
    for at in 1..=40 {
        let event = insert(at, at as i64 + 3, "x", at as i64);
        let changes = of_t(&[event]).position(format!("position {at}"));
        engine.apply_changes(SOURCE, changes).await.unwrap();
        engine
            .apply_changes(&long, Changes::new().upto(2 * at))
            .await
            .unwrap();
        assert_eq!(seq(&other).await, Some(at));
    }
    let seen = engine.watermarks().await.unwrap();
    let before = engine.version().await.unwrap();
    engine.reset_watermark(&long, None).await.unwrap();
    let log = std::fs::read_dir(folder.join("_log")).unwrap().flatten();
    let is_checkpoint = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".checkpoint");
    assert!(
        log.map(|entry| entry.file_name())
            .any(|name| is_checkpoint(&name))
    );
    drop((engine, other));

    let engine = open(&folder);
    let mut now = engine.watermarks().await.unwrap();
    assert_eq!(now.get(SOURCE), seen.get(SOURCE));
    assert_eq!(now.remove(&long), None);
    let sql = "SELECT count(*) FROM t";
    let rows = engine
        .query_at(sql, before, StatementOptions::new())
        .await
        .unwrap();
    assert_eq!(crate::common::the_number(&rows), 43);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_callers_with_the_same_changes_apply_them_once() {
    const CALLERS: usize = 4;
    const CHANGES: u64 = 60;
    for (store, engine) in engines() {
        run(&engine, "CREATE TABLE t (id BIGINT, name TEXT, n BIGINT)").await;
        let shared = engine.clone();
        let counts = at_once(CALLERS, move |caller| {
            let engine = shared.clone();
            async move {
                let mut inserted = 0;
                let step = 1 + caller as u64;
                let mut from = 1;
                while from <= CHANGES {
                    let to = (from + step).min(CHANGES + 1);
                    let events: Vec<_> =
                        (from..to).map(|at| insert(at, at as i64, "x", 1)).collect();
                    inserted += apply(&engine, &events).await.unwrap().inserted;
                    from = to;
                }
                inserted
            }
        });
        assert_eq!(counts.await.iter().sum::<u64>(), CHANGES, "{store}");
        let sql = "SELECT count(*) FROM t";
        assert_eq!(number(&engine, sql).await, CHANGES as i64, "{store}");
        let sql = "SELECT count(DISTINCT id) FROM t";
        assert_eq!(number(&engine, sql).await, CHANGES as i64, "{store}");
        assert_eq!(seq(&engine).await, Some(CHANGES), "{store}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_the_same_changes_apply_them_once() {
    let folder = fresh_folder();
    let engine = open(&folder);
    run(&engine, "CREATE TABLE t (id BIGINT, name TEXT, n BIGINT)").await;
    let at = folder.clone();
    let counts = at_once(3, move |caller| {
        // An engine of its own shares nothing with the others but the folder.
        let engine = open(&at);
        async move {
            let mut inserted = 0;
            for last in 1..=20 {
                let first = 1_i64.max(last - caller as i64);
                let events: Vec<_> = (first..=last)
                    .map(|at| insert(at as u64, at, "x", 1))
                    .collect();
                inserted += apply(&engine, &events).await.unwrap().inserted;
            }
            inserted
        }
    });
    assert_eq!(counts.await.iter().sum::<u64>(), 20);
    assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 20);
    assert_eq!(
        number(&engine, "SELECT count(DISTINCT id) FROM t").await,
        20
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_that_write_the_same_keys_leave_one_row_for_each() {
    const SOURCES: usize = 3;
    for (store, engine) in engines() {
        create(&engine).await;
        let shared = engine.clone();
        at_once(SOURCES, move |source| {
            let engine = shared.clone();
            async move {
                for at in 1..=20 {
                    let id = 1 + at as i64 % 7;
                    let events = [insert(2 * at, id, "x", 0), update(2 * at + 1, id, "y", 1)];
                    let name = format!("source {source}");
                    engine.apply_changes(&name, of_t(&events)).await.unwrap();
                }
            }
        })
        .await;
        let expected: Vec<String> = (1..=7).map(|id| format!("{id} | y | 1")).collect();
        assert_eq!(
            rows(&engine, "SELECT * FROM t ORDER BY id").await,
            expected,
            "{store}"
        );
        let versions: Vec<u64> = {
            let all = engine.watermarks().await.unwrap();
            all.values().map(|at| at.seq).collect()
        };
        assert_eq!(versions, [41; SOURCES], "{store}");
    }
}

#[tokio::test]
async fn what_was_applied_before_may_be_of_a_table_that_is_gone() {
    for (store, engine) in engines() {
        create(&engine).await;
        apply(&engine, &[insert(1, 4, "a", 1)]).await.unwrap();
        run(&engine, "DROP TABLE t").await;
        run(
            &engine,
            "CREATE TABLE u (id BIGINT PRIMARY KEY, name TEXT, n BIGINT)",
        )
        .await;
        let next =
            of_t(&[insert(1, 4, "a", 1)]).table("u", super::events::batch(&[insert(2, 1, "b", 2)]));
        let applied = engine.apply_changes(SOURCE, next).await.unwrap();
        assert_eq!((applied.before, applied.inserted), (1, 1), "{store}");
    }
}

#[tokio::test]
async fn an_engine_that_looks_for_commits_when_told_knows_what_others_applied() {
    let folder = fresh_folder();
    let other = open(&folder);
    create(&other).await;
    let engine = rhei_datafusion::EngineBuilder::new()
        .storage(vortex(&folder))
        .refresh(rhei_datafusion::Refresh::Manual)
        .build()
        .unwrap();
    assert_eq!(seq(&engine).await, None);
    apply(&other, &[insert(5, 4, "a", 1)]).await.unwrap();
    // To what this engine knows, there is a gap.
    let next = of_t(&[insert(6, 5, "b", 2)]).after(5);
    assert_eq!(
        engine.apply_changes(SOURCE, next).await.unwrap().inserted,
        1
    );
    other.reset_watermark(SOURCE, 2).await.unwrap();
    // To what it knows, these were applied before.
    let again = apply(&engine, &[insert(4, 6, "c", 3)]).await.unwrap();
    assert_eq!((again.progress, again.inserted), (Progress::Now, 1));
}
