//! A call of a function that cannot be asked whether to stop holds nobody up: neither who waits for it, nor others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use rhei_datafusion::arrow::datatypes::DataType;
use rhei_datafusion::datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use rhei_datafusion::{CancelHandle, ErrorKind, SharedDataFusionEngine, StatementOptions};

use crate::common::{engines, number, passed, small_table};

/// Makes `stuck(x)` known, which is `x` when the sender that is handed out is dropped, and counts its calls.
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

// The test has one thread, which a statement that ran on it would hold up for ever.
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
            // Others go on meanwhile.
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
