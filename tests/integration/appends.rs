//! Many small changes: the table stays in few fragments, keeps the order of its rows, and gives exact answers.

use std::sync::Arc;

use rhei_datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use rhei_datafusion::arrow::datatypes::Int64Type;
use rhei_datafusion::{
    CompactionPolicy, DataFusionEngine, EngineBuilder, OlapEngine, SharedDataFusionEngine,
    StorageMode,
};

use crate::common::{at_once, engines, fresh_folder, number, pairs, rows, run, vortex};

async fn append(engine: &DataFusionEngine, id: i64) {
    assert_eq!(
        engine
            .load_arrow("t", &[pairs([(id, id * 2)])])
            .await
            .unwrap(),
        1
    );
}

async fn table(engine: &DataFusionEngine) {
    run(engine, "CREATE TABLE t (id BIGINT, n BIGINT)").await;
}

/// The values of the column `id` in scan order, and the number of batches.
async fn scanned(store: &str, engine: &DataFusionEngine) -> (Vec<i64>, usize) {
    let batches = engine.query("SELECT * FROM t").await.unwrap();
    let ids = batches
        .iter()
        .flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
    let mut ids: Vec<i64> = ids.collect();
    if store != "memory" {
        // Files are read in parallel, so rows come in any order.
        ids.sort_unstable();
    }
    (ids, batches.len())
}

/// The numbers of `fragments=read/total` in the plan of a query's scan of `t`.
async fn fragments(engine: &DataFusionEngine, sql: &str) -> (usize, usize) {
    let plan = rows(engine, &format!("EXPLAIN FORMAT INDENT {sql}"))
        .await
        .join("\n");
    let (_, found) = plan
        .split_once("fragments=")
        .unwrap_or_else(|| panic!("no scan in {plan}"));
    let end = found
        .find(|c: char| !c.is_ascii_digit() && c != '/')
        .unwrap_or(found.len());
    let (read, there) = found[..end].split_once('/').unwrap();
    (read.parse().unwrap(), there.parse().unwrap())
}

#[tokio::test]
async fn ten_thousand_one_row_inserts_stay_in_few_pieces_and_in_order() {
    for (store, mode) in [
        ("memory", StorageMode::InMemory),
        ("vortex", vortex(&fresh_folder())),
    ] {
        // Compaction in the background may leave no row in the log, or some: the counts would be those of a moment.
        let builder = EngineBuilder::new()
            .storage(mode)
            .compaction(CompactionPolicy::MANUAL);
        let engine = SharedDataFusionEngine::new(builder.build().unwrap());
        table(&engine).await;
        for id in 0..10_000 {
            if id % 20 == 0 {
                assert_eq!(
                    run(&engine, &format!("INSERT INTO t VALUES ({id}, {})", id * 2)).await,
                    1
                );
            } else {
                append(&engine, id).await;
            }
        }
        let (ids, batches) = scanned(store, &engine).await;
        assert!(batches < 150, "{store}: {batches} batches");
        let (_, there) = fragments(&engine, "SELECT * FROM t").await;
        assert!(there < 100, "{store}: {there} fragments");
        assert!(
            ids.iter().copied().eq(0..10_000),
            "{store}: rows out of order"
        );
        let totals = "SELECT count(*), count(DISTINCT id), sum(id), sum(n) FROM t";
        assert_eq!(
            rows(&engine, totals).await,
            ["10000 | 10000 | 49995000 | 99990000"],
            "{store}"
        );
        // Merged fragments still have statistics for pruning.
        let (read, _) = fragments(&engine, "SELECT * FROM t WHERE id >= 9990").await;
        assert!(
            read < there,
            "{store}: all of {there} fragments are read for the last rows"
        );
        assert_eq!(
            number(&engine, "SELECT count(*) FROM t WHERE id >= 9990").await,
            10,
            "{store}"
        );
    }
}

#[tokio::test]
async fn the_number_of_pieces_does_not_grow_with_the_number_of_inserts() {
    for (store, engine) in engines() {
        table(&engine).await;
        for id in 0..4_000 {
            append(&engine, id).await;
            if id % 499 == 0 {
                let (_, there) = fragments(&engine, "SELECT * FROM t").await;
                assert!(there <= 64, "{store}: {there} fragments after {id} rows");
            }
        }
    }
}

#[tokio::test]
async fn appends_of_mixed_sizes_stay_in_few_pieces_and_in_order() {
    for (store, engine) in engines() {
        table(&engine).await;
        let mut next = 0;
        for step in 0..400i64 {
            let len = [1, 20, 3, 300, 1, 2_000, 17, 1][step as usize % 8];
            let batch = pairs((next..next + len).map(|id| (id, id * 2)));
            assert_eq!(engine.load_arrow("t", &[batch]).await.unwrap(), len as u64);
            next += len;
        }
        let (ids, batches) = scanned(store, &engine).await;
        assert!(
            ids.iter().copied().eq(0..next),
            "{store}: rows out of order"
        );
        assert!(batches < 150, "{store}: {batches} batches for {next} rows");
        assert_eq!(
            number(&engine, "SELECT sum(n) FROM t").await,
            next * (next - 1),
            "{store}"
        );
    }
}

#[tokio::test]
async fn one_load_of_many_tiny_batches_is_put_together() {
    for (store, engine) in engines() {
        table(&engine).await;
        let tiny: Vec<_> = (0..10_000).map(|id| pairs([(id, id * 2)])).collect();
        assert_eq!(engine.load_arrow("t", &tiny).await.unwrap(), 10_000);
        let (ids, batches) = scanned(store, &engine).await;
        assert!(batches <= 4, "{store}: {batches} batches");
        assert!(
            ids.iter().copied().eq(0..10_000),
            "{store}: rows out of order"
        );
    }
}

#[tokio::test]
async fn totals_stay_right_when_deletes_and_updates_come_between_appends() {
    for (store, engine) in engines() {
        table(&engine).await;
        let mut model: Vec<(i64, i64)> = Vec::new();
        for id in 0..3_000i64 {
            append(&engine, id).await;
            model.push((id, id * 2));
            if id % 37 == 0 {
                let sql = format!(
                    "DELETE FROM t WHERE id % 11 = {} AND id > {}",
                    id % 11,
                    id - 200
                );
                let before = model.len();
                model.retain(|(i, _)| !(i % 11 == id % 11 && *i > id - 200));
                assert_eq!(
                    run(&engine, &sql).await,
                    (before - model.len()) as u64,
                    "{store}: {sql}"
                );
            }
            if id % 53 == 0 {
                let sql = format!(
                    "UPDATE t SET n = n + 1 WHERE id >= {} AND id % 3 = 0",
                    id - 500
                );
                let mut updated = 0;
                for (_, n) in model
                    .iter_mut()
                    .filter(|(i, _)| *i >= id - 500 && i % 3 == 0)
                {
                    *n += 1;
                    updated += 1;
                }
                assert_eq!(run(&engine, &sql).await, updated, "{store}: {sql}");
            }
            if id % 250 == 0 {
                agrees(store, &engine, &model).await;
            }
        }
        agrees(store, &engine, &model).await;
        let (_, there) = fragments(&engine, "SELECT * FROM t").await;
        assert!(there < 100, "{store}: {there} fragments");
    }
}

async fn agrees(store: &str, engine: &SharedDataFusionEngine, model: &[(i64, i64)]) {
    let sums = model
        .iter()
        .fold((0, 0), |sums, (id, n)| (sums.0 + id, sums.1 + n));
    let expected = format!("{} | {} | {}", model.len(), sums.0, sums.1);
    let totals = "SELECT count(*), coalesce(sum(id), 0), coalesce(sum(n), 0) FROM t";
    assert_eq!(rows(engine, totals).await, [expected], "{store}");
    let all = rows(engine, "SELECT id, n FROM t ORDER BY id").await;
    let expected: Vec<String> = model.iter().map(|(id, n)| format!("{id} | {n}")).collect();
    assert_eq!(all, expected, "{store}");
}

#[tokio::test]
async fn a_table_that_lost_most_of_its_rows_answers_exactly() {
    for (store, engine) in engines() {
        table(&engine).await;
        engine
            .load_arrow("t", &[pairs((0..300_000).map(|id| (id, id * 2)))])
            .await
            .unwrap();
        let kept = |id: &i64| id % 1_000 == 7;
        // First single rows, then all rows but a few.
        assert_eq!(
            run(
                &engine,
                "DELETE FROM t WHERE id IN (0, 65535, 65536, 131071, 299999)"
            )
            .await,
            5
        );
        assert_eq!(
            run(&engine, "DELETE FROM t WHERE id % 2 = 0").await,
            149_998
        );
        assert_eq!(
            run(&engine, "DELETE FROM t WHERE id % 1000 <> 7").await,
            300_000 - 5 - 149_998 - 300
        );
        let model: Vec<(i64, i64)> = (0..300_000).filter(kept).map(|id| (id, id * 2)).collect();
        agrees(store, &engine, &model).await;
        assert_eq!(
            rows(&engine, "SELECT min(id), max(n) FROM t").await,
            ["7 | 598014"],
            "{store}"
        );
        assert_eq!(
            number(
                &engine,
                "SELECT count(*) FROM t WHERE id BETWEEN 65000 AND 66999"
            )
            .await,
            2,
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT id FROM t ORDER BY id DESC LIMIT 2").await,
            ["299007", "298007"],
            "{store}"
        );
        assert_eq!(
            rows(&engine, "SELECT id FROM t LIMIT 500").await.len(),
            300,
            "{store}"
        );
        assert_eq!(run(&engine, "UPDATE t SET n = 1").await, 300, "{store}");
        assert_eq!(run(&engine, "DELETE FROM t").await, 300, "{store}");
        agrees(store, &engine, &[]).await;
        append(&engine, 5).await;
        agrees(store, &engine, &[(5, 10)]).await;
    }
}

#[tokio::test]
async fn rows_written_under_other_columns_are_not_mixed_up_when_pieces_are_put_together() {
    for (store, engine) in engines() {
        table(&engine).await;
        for id in 0..40 {
            append(&engine, id).await;
        }
        run(&engine, "ALTER TABLE t RENAME COLUMN n TO m").await;
        run(&engine, "ALTER TABLE t ADD COLUMN n BIGINT DEFAULT 7").await;
        for id in 40..80 {
            assert_eq!(
                run(
                    &engine,
                    &format!("INSERT INTO t (id, m) VALUES ({id}, {})", id * 2)
                )
                .await,
                1
            );
        }
        run(&engine, "ALTER TABLE t DROP COLUMN m").await;
        run(&engine, "ALTER TABLE t RENAME COLUMN n TO m").await;
        run(&engine, "ALTER TABLE t ADD COLUMN n BIGINT").await;
        for id in 80..120 {
            assert_eq!(
                run(&engine, &format!("INSERT INTO t VALUES ({id}, {id}, {id})")).await,
                1
            );
        }
        run(&engine, "DELETE FROM t WHERE id % 3 <> 0").await;
        for id in 120..160 {
            assert_eq!(
                run(&engine, &format!("INSERT INTO t VALUES ({id}, {id}, {id})")).await,
                1
            );
        }
        let expected: Vec<String> = (0..160)
            .filter(|id| id % 3 == 0 || *id >= 120)
            .map(|id| {
                if id < 80 {
                    format!("{id} | 7 | NULL")
                } else {
                    format!("{id} | {id} | {id}")
                }
            })
            .collect();
        assert_eq!(
            rows(&engine, "SELECT id, m, n FROM t ORDER BY id").await,
            expected,
            "{store}"
        );
        let (_, there) = fragments(&engine, "SELECT * FROM t").await;
        assert!(there < 60, "{store}: {there} fragments");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_writers_rows_stay_in_its_order_when_many_append() {
    const EACH: i64 = 500;
    for (store, engine) in engines() {
        table(&engine).await;
        at_once(6, |task| {
            let engine = engine.clone();
            async move {
                for step in 0..EACH {
                    append(&engine, task as i64 * EACH + step).await;
                }
            }
        })
        .await;
        let (ids, batches) = scanned(store, &engine).await;
        assert_eq!(ids.len(), 6 * EACH as usize, "{store}");
        assert!(batches < 150, "{store}: {batches} batches");
        for task in 0..6 {
            let of_task = ids.iter().copied().filter(|id| id / EACH == task);
            assert!(
                of_task.eq(task * EACH..(task + 1) * EACH),
                "{store}: writer {task} out of order"
            );
        }
    }
}

#[tokio::test]
async fn pieces_that_lost_most_of_their_rows_are_put_together_wherever_they_stand() {
    let engine = DataFusionEngine::new();
    run(
        &engine,
        "CREATE TABLE t AS SELECT value AS id FROM range(3000000)",
    )
    .await;
    let (_, before) = fragments(&engine, "SELECT * FROM t").await;
    assert!(before > 40, "{before} pieces");
    // The DELETE leaves the last fragment whole, so the test is not about the end of the table.
    let sql = "DELETE FROM t WHERE id % 1000 <> 7 AND id < 2940000";
    assert_eq!(run(&engine, sql).await, 2_940_000 - 2_940);
    let (_, after) = fragments(&engine, "SELECT * FROM t").await;
    assert!(after < 6, "{after} pieces of {before}");
    let (ids, _) = scanned("memory", &engine).await;
    let few = (0..2_940_000).filter(|id| id % 1000 == 7);
    assert!(few.chain(2_940_000..3_000_000).eq(ids));
}

#[tokio::test]
async fn small_batches_of_large_texts_do_not_become_one_batch() {
    let engine = DataFusionEngine::new();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100 << 20)]));
    let batch = |id| {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![id]));
        RecordBatch::try_from_iter([("id", ids), ("text", Arc::clone(&text))]).unwrap()
    };
    // In one load, and in many, which a scan puts together.
    for (table, loads) in [("once", 1), ("often", 9)] {
        let schema = batch(0).schema();
        engine.create_table(table, &schema, &[]).await.unwrap();
        for load in 0..loads {
            let ids = (0..9).filter(|id| id % loads == load);
            let batches: Vec<RecordBatch> = ids.map(batch).collect();
            engine.load_arrow(table, &batches).await.unwrap();
        }
        // An array of this type holds 2 GiB.
        let sql = format!("SELECT id, text FROM {table}");
        let found = engine.query(&sql).await.unwrap();
        let rows: Vec<usize> = found.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows.iter().sum::<usize>(), 9, "{table}");
        assert!(rows.iter().all(|rows| *rows <= 2), "{table}: {rows:?}");
    }
}
