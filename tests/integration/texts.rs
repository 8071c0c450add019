//! SQL texts that take long to parse or to plan.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use rhei_datafusion::arrow::datatypes::DataType;
use rhei_datafusion::datafusion::common::{Result, ScalarValue};
use rhei_datafusion::datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};
use rhei_datafusion::{CancelHandle, DataFusionEngine, ErrorKind, OlapEngine, StatementOptions};
use tokio::sync::mpsc;

use crate::common::{kind, number, run, works};

/// Nested calls and subqueries that the parser can read in two or three ways at each level.
#[tokio::test]
async fn a_text_that_can_be_read_in_many_ways_is_parsed_or_refused_soon() {
    let engine = DataFusionEngine::new();
    let nested = |before: &str, inner: &str, after: &str, levels: usize| {
        format!(
            "SELECT {}{inner}{}",
            before.repeat(levels),
            after.repeat(levels)
        )
    };
    for (before, after) in [
        ("CAST(", " AS INT)"),
        ("TRY_CAST(", " AS INT)"),
        ("CEIL(", ")"),
        ("FLOOR(", ")"),
        ("SUBSTRING(", ")"),
        ("POSITION(", " IN 'a')"),
        ("OVERLAY(", " PLACING 'a' FROM 1)"),
        ("EXTRACT(day FROM ", ")"),
        ("TRIM(BOTH ", " FROM 'a')"),
        ("CASE WHEN ", " THEN 1 END"),
        ("(x) -> (", ")"),
        ("* FROM (", ")"),
    ] {
        // An error in the innermost call, found after all calls have begun.
        let sql = nested(before, "1 2 3", after, 50);
        let refused = kind(&engine, &sql).await;
        assert!(
            matches!(refused, ErrorKind::ResourcesExhausted | ErrorKind::Invalid),
            "{refused:?}: {sql}"
        );
    }
    for (inner, after) in [("a b c", "))"), ("t", ") x)"), ("", "")] {
        let sql = format!(
            "SELECT * FROM {}{inner}{}",
            "((SELECT * FROM ".repeat(31),
            after.repeat(31)
        );
        assert_eq!(
            kind(&engine, &sql).await,
            ErrorKind::ResourcesExhausted,
            "{sql}"
        );
    }
    // Without an error, and with parentheses as programs write them.
    for sql in [
        nested("CAST(", "1", " AS INT)", 60),
        nested("POSITION('a' IN CAST(", "1", " AS TEXT))", 30),
        format!(
            "SELECT * FROM {}(SELECT 1){}",
            "(".repeat(20),
            ")".repeat(20)
        ),
        format!(
            "SELECT count(*) FROM {}((SELECT 1 AS a) AS t0{}",
            "(".repeat(20),
            (1..=20)
                .map(|n| format!(") CROSS JOIN ((SELECT 1 AS b) AS t{n})"))
                .collect::<String>()
                + ")"
        ),
        format!(
            "SELECT * FROM {}(SELECT 1){}",
            "((SELECT * FROM ".repeat(8),
            ") x)".repeat(8)
        ),
    ] {
        let answer = engine.query(&sql).await;
        assert!(answer.is_ok(), "{sql}: {}", answer.unwrap_err());
    }
    works(&engine).await;
}

#[tokio::test]
async fn a_text_of_too_many_words_is_refused_before_it_is_parsed() {
    let engine = DataFusionEngine::new();
    for sql in [
        " ".repeat(3_000_000),
        "SELECT 1;".repeat(700_000),
        format!("SELECT 1 IN ({})", vec!["1"; 1_100_000].join(",")),
        // The quote is within another kind of text, and begins none.
        format!("SELECT $$'$${}", " ".repeat(3_000_000)),
        format!("SELECT 1 /* ' */{}", " ".repeat(3_000_000)),
        format!("SELECT 1 -- '\n{}", " ".repeat(3_000_000)),
        format!("SELECT E'\\''{}", " ".repeat(3_000_000)),
        format!("SELECT #'{}", " ".repeat(3_000_000)),
        format!("SELECT @@'{}", " ".repeat(3_000_000)),
        format!("SELECT {}", "1L".repeat(3_000_000)),
        format!("SELECT {}", "\u{a0}".repeat(3_000_000)),
        format!("SELECT {}", "×".repeat(3_000_000)),
        format!("SELECT q'!'!'{}", " ".repeat(3_000_000)),
        format!("SELECT r'''a'b'''{}", " ".repeat(3_000_000)),
    ] {
        let refused = kind(&engine, &sql).await;
        assert_eq!(refused, ErrorKind::ResourcesExhausted, "{}", &sql[..20]);
    }
    let prose = format!(
        "SELECT CAST(length('{}') AS BIGINT)",
        "a b ".repeat(1_000_000)
    );
    assert_eq!(number(&engine, &prose).await, 4_000_000);
    works(&engine).await;
}

/// A function of the program that calls back when it is planned.
struct Planned {
    signature: Signature,
    called: Box<dyn Fn() + Send + Sync>,
}

impl Planned {
    fn function(called: impl Fn() + Send + Sync + 'static) -> ScalarUDF {
        ScalarUDF::from(Self {
            signature: Signature::nullary(Volatility::Immutable),
            called: Box::new(called),
        })
    }
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planned")
    }
}

impl PartialEq for Planned {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Planned {}

impl Hash for Planned {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl ScalarUDFImpl for Planned {
    fn name(&self) -> &'static str {
        "planned"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        (self.called)();
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(1))))
    }
}

/// The caller's thread is the only one of this test.
#[tokio::test]
async fn a_long_text_is_planned_on_a_thread_of_the_engine() {
    let engine = DataFusionEngine::new();
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&threads);
    let planned = Planned::function(move || {
        seen.lock().unwrap().insert(std::thread::current().id());
    });
    engine.register_udf(planned).unwrap();
    run(&engine, "CREATE TABLE t (a BIGINT)").await;
    let rows = vec!["(1)"; 30_000].join(", ");
    for (sql, changed) in [
        (format!("SELECT planned() FROM (VALUES {rows}) AS x"), 0),
        (format!("INSERT INTO t VALUES {rows}, (planned())"), 30_001),
        (
            format!("INSERT INTO t VALUES {rows}, (planned()) RETURNING a"),
            30_001,
        ),
        (format!("UPDATE t SET a = planned() -- {rows}"), 60_002),
    ] {
        assert_eq!(
            engine.execute(&sql).await.unwrap(),
            changed,
            "{}",
            &sql[..30]
        );
        let on = std::mem::take(&mut *threads.lock().unwrap());
        assert!(!on.is_empty(), "{}", &sql[..30]);
        assert!(!on.contains(&std::thread::current().id()), "{}", &sql[..30]);
    }
    let batch = format!("DELETE FROM t; INSERT INTO t VALUES {rows}, (planned())");
    assert_eq!(
        engine.execute_batch(&batch).await.unwrap(),
        [60_002, 30_001]
    );
    let on = std::mem::take(&mut *threads.lock().unwrap());
    assert!(!on.is_empty() && !on.contains(&std::thread::current().id()));
}

/// A call that ends while its statement is planned on a thread of the engine changes nothing afterwards.
#[tokio::test]
async fn a_long_text_whose_call_is_dropped_or_cancelled_changes_nothing() {
    let rows = vec!["(1)"; 30_000].join(", ");
    let padding = " ".repeat(100_000);
    for sql in [
        format!("INSERT INTO t VALUES {rows}, (planned())"),
        format!("PREPARE p AS SELECT planned(){padding}"),
        format!("UPDATE t SET a = planned(){padding}"),
    ] {
        for is_dropped in [true, false] {
            let engine = DataFusionEngine::new();
            run(&engine, "CREATE TABLE t (a BIGINT)").await;
            run(&engine, "INSERT INTO t VALUES (7)").await;
            let (entered, mut has_entered) = mpsc::unbounded_channel();
            let (left, mut has_left) = mpsc::unbounded_channel();
            let (permit, go_on) = std::sync::mpsc::channel::<()>();
            let go_on = Mutex::new(go_on);
            let planned = Planned::function(move || {
                let _ = entered.send(());
                // Once the test has dropped its end, nothing waits any more.
                let _ = go_on.lock().unwrap().recv();
                let _ = left.send(());
            });
            engine.register_udf(planned).unwrap();
            let handle = CancelHandle::new();
            let options = StatementOptions::default().cancel(&handle);
            {
                let call = engine.execute_with(&sql, options);
                futures::pin_mut!(call);
                tokio::select! {
                    ended = &mut call => panic!("{ended:?}"),
                    _ = has_entered.recv() => {}
                }
                if !is_dropped {
                    handle.cancel();
                    let error = call.await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Cancelled);
                }
            }
            drop(permit);
            has_left.recv().await;
            // The abandoned statement has ended when it has let go of the engine's function.
            engine
                .register_udf(create_udf(
                    "planned",
                    vec![],
                    DataType::Int64,
                    Volatility::Immutable,
                    Arc::new(|_| Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(1))))),
                ))
                .unwrap();
            while has_left.recv().await.is_some() {}
            assert_eq!(
                number(&engine, "SELECT sum(a) FROM t").await,
                7,
                "{}",
                &sql[..20]
            );
            let error = engine.query("EXECUTE p").await.unwrap_err();
            assert!(error.to_string().contains("not found"), "{error}");
        }
    }
}
