//! A function call that cannot be interrupted blocks neither its caller nor other statements. Long loops of the engine
//! itself check for cancellation.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use rhei_datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use rhei_datafusion::arrow::buffer::Buffer;
use rhei_datafusion::arrow::datatypes::{DataType, Int64Type};
use rhei_datafusion::datafusion::common::{Result, ScalarValue};
use rhei_datafusion::datafusion::logical_expr::{
    Accumulator, ColumnarValue, Volatility, create_udaf, create_udf,
};
use rhei_datafusion::{
    CancelHandle, DataFusionEngine, ErrorKind, SharedDataFusionEngine, StatementOptions,
};

use crate::common::{engines, number, passed, rows, small_table};

/// Registers `stuck(x)`, which counts its calls and returns `x` once the returned sender is dropped.
fn stuck(engine: &SharedDataFusionEngine) -> (Arc<AtomicUsize>, Sender<()>) {
    let (release, released) = channel();
    let released = Mutex::new(released);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let wait = move |args: &[ColumnarValue]| {
        counter.fetch_add(1, Ordering::SeqCst);
        let _ = released.lock().unwrap().recv();
        Ok(args[0].clone())
    };
    let function = create_udf(
        "stuck",
        vec![DataType::Int64],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(wait),
    );
    engine.register_udf(function).unwrap();
    (calls, release)
}

// The test has one thread: a statement that ran on this thread would block it for ever.
#[tokio::test]
async fn a_call_that_cannot_be_interrupted_holds_nobody_up() {
    for sql in [
        "SELECT stuck(n) FROM t",
        "SELECT stuck(1)",
        "SELECT count(*) FROM t GROUP BY stuck(id) ORDER BY 1",
        "UPDATE t SET n = stuck(n)",
        "DELETE FROM t WHERE stuck(id) = 2",
        "INSERT INTO t SELECT id + 10, stuck(n) FROM t",
        "CREATE TABLE u AS SELECT stuck(n) AS n FROM t",
    ] {
        for (store, engine) in engines() {
            small_table(&engine).await;
            let (calls, release) = stuck(&engine);
            let cancel = CancelHandle::new();
            let options = StatementOptions::new().cancel(&cancel);
            let waiting = engine.clone();
            let waiting = tokio::spawn(async move {
                match sql.starts_with("SELECT") {
                    true => waiting.query_with(sql, options).await.map(drop),
                    false => waiting.execute_with(sql, options).await.map(drop),
                }
            });
            passed(&calls, 0).await;
            // Other statements run meanwhile.
            assert_eq!(
                number(&engine, "SELECT sum(n) FROM t").await,
                30,
                "{store}: {sql}"
            );
            cancel.cancel();
            let error = waiting.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{store}: {sql}");
            assert_eq!(
                number(&engine, "SELECT sum(n) FROM t").await,
                30,
                "{store}: {sql}"
            );
            drop(release);
        }
    }
}

/// `seen(x)`, an aggregate that counts rows and cannot retract a row.
#[derive(Debug)]
struct Seen {
    rows: i64,
    evaluated: Arc<AtomicUsize>,
    /// Cancels the handle at this number of evaluations.
    at: Option<(usize, CancelHandle)>,
}

impl Accumulator for Seen {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.rows += values[0].len() as i64;
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let before = self.evaluated.fetch_add(1, Ordering::SeqCst);
        if let Some((times, cancel)) = &self.at
            && before + 1 == *times
        {
            cancel.cancel();
        }
        Ok(ScalarValue::from(self.rows))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::from(self.rows)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.rows += states[0]
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .sum::<i64>();
        Ok(())
    }
}

fn seen(engine: &SharedDataFusionEngine, at: Option<(usize, CancelHandle)>) -> Arc<AtomicUsize> {
    let evaluated = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&evaluated);
    let function = create_udaf(
        "seen",
        vec![DataType::Int64],
        Arc::new(DataType::Int64),
        Volatility::Immutable,
        Arc::new(move |_| {
            Ok(Box::new(Seen {
                rows: 0,
                evaluated: Arc::clone(&counter),
                at: at.clone(),
            }))
        }),
        Arc::new(vec![DataType::Int64]),
    );
    engine.register_udaf(function).unwrap();
    evaluated
}

#[tokio::test]
async fn an_aggregate_of_the_programs_own_stands_over_any_frame() {
    for (store, engine) in engines() {
        seen(&engine, None);
        let over = |frame: &str| {
            format!(
                "SELECT value, seen(value) OVER (ORDER BY value ROWS BETWEEN {frame}) FROM range(4) ORDER BY value"
            )
        };
        for (frame, counts) in [
            ("1 PRECEDING AND CURRENT ROW", [1, 2, 2, 2]),
            ("CURRENT ROW AND UNBOUNDED FOLLOWING", [4, 3, 2, 1]),
            ("UNBOUNDED PRECEDING AND CURRENT ROW", [1, 2, 3, 4]),
        ] {
            let expected = counts.iter().enumerate();
            let expected: Vec<_> = expected
                .map(|(id, seen)| format!("{id} | {seen}"))
                .collect();
            let found = rows(&engine, &over(frame)).await;
            assert_eq!(found, expected, "{store}: {frame}");
        }
        // A subquery whose rows are computed once for two readers is planned separately.
        let once = "SELECT max((SELECT count(*) FROM range(3) AS r WHERE r.value < q.s)) FROM \
             (SELECT seen(value) OVER (ORDER BY value ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s, random() AS x FROM range(9)) AS q";
        assert_eq!(number(&engine, once).await, 2, "{store}");
    }
}

/// Registers `watched(x)`, which returns `x` and reports when the values of a call have been dropped.
fn watched(engine: &SharedDataFusionEngine) -> tokio::sync::mpsc::UnboundedReceiver<()> {
    struct Values(Buffer, tokio::sync::mpsc::UnboundedSender<()>);
    impl AsRef<[u8]> for Values {
        fn as_ref(&self) -> &[u8] {
            self.0.as_slice()
        }
    }
    impl Drop for Values {
        fn drop(&mut self) {
            let _ = self.1.send(());
        }
    }
    let (gone, were_dropped) = tokio::sync::mpsc::unbounded_channel();
    let function = create_udf(
        "watched",
        vec![DataType::Int64],
        DataType::Int64,
        Volatility::Volatile,
        Arc::new(move |args: &[ColumnarValue]| {
            let values = args[0].to_array(1)?;
            let values = values.as_primitive::<Int64Type>();
            let owner = Values(values.values().inner().clone(), gone.clone());
            let buffer = Buffer::from(bytes::Bytes::from_owner(owner));
            let values = Int64Array::new(buffer.into(), values.nulls().cloned());
            Ok(ColumnarValue::Array(Arc::new(values)))
        }),
    );
    engine.register_udf(function).unwrap();
    were_dropped
}

#[tokio::test]
async fn an_aggregate_that_is_worked_out_for_each_row_stops() {
    for (store, engine) in engines() {
        let cancel = CancelHandle::new();
        let evaluated = seen(&engine, Some((10, cancel.clone())));
        let mut gone = watched(&engine);
        let sql = "SELECT seen(v) OVER (ORDER BY n ROWS BETWEEN 9000 PRECEDING AND CURRENT ROW) FROM \
             (SELECT value AS n, watched(value) AS v FROM range(5000)) AS q";
        let options = StatementOptions::new().cancel(&cancel);
        let error = engine.query_with(sql, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{store}: {error}");
        // Once its rows are dropped, the statement does no more work.
        gone.recv().await.unwrap();
        assert_eq!(evaluated.load(Ordering::SeqCst), 10, "{store}");
    }
}

/// The number of query threads with a lower priority than this thread.
#[cfg(target_os = "linux")]
fn low_threads() -> usize {
    let nice = |stat: &str| {
        // The text behind the name begins with field 3 of `stat`; nice is field 19.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let nice = fields.split_whitespace().nth(19 - 3).unwrap();
        nice.parse::<i32>().unwrap()
    };
    let own = nice(&std::fs::read_to_string("/proc/thread-self/stat").unwrap());
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let stats =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    stats
        .filter(|stat| stat.contains("(rhei-query)") && nice(stat) > own)
        .count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn threads_of_a_long_statement_have_a_low_priority_to_its_end() {
    let engine = SharedDataFusionEngine::new(DataFusionEngine::new());
    let cancel = CancelHandle::new();
    let options = StatementOptions::new().cancel(&cancel);
    let long = engine.clone();
    let long = tokio::spawn(async move {
        let sql = "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE (a.value + b.value) % 7 = 3";
        long.query_with(sql, options).await.map(drop)
    });
    while low_threads() == 0 {
        assert_eq!(number(&engine, "SELECT 1").await, 1);
    }
    cancel.cancel();
    assert_eq!(
        long.await.unwrap().unwrap_err().kind(),
        ErrorKind::Cancelled
    );
    // The threads end, because their priority cannot be raised again.
    while low_threads() > 0 {
        assert_eq!(number(&engine, "SELECT 1").await, 1);
    }
}
