//! The JavaScript interface of the engine, for the npm package alone: the package's TypeScript code adds promises,
//! workers and streams.
//!
//! - W1 A call has a number that the caller gives, and runs in [`RawEngine::turn`]. So a trap is an exception in one
//!   place, and the event loop runs between slices.
//! - W2 Results are Arrow IPC bytes, in types that every reader knows.
//! - W3 An error is an `Error` with the code of its kind. Any other exception means that the instance is lost.

mod calls;
mod changes;
mod error;
mod files;
mod functions;
mod json;
mod memory;
mod option_names;
mod reading;
mod results;
mod schema;
mod values;

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use futures::future::{Either, select};
use futures::{StreamExt, stream};
use js_sys::{Array, Function, Object};
use wasm_bindgen::prelude::*;

use self::calls::Calls;
use self::error::{invalid, to_js};
use self::files::{CsvOptions, Opened};
use self::memory::Memory;
use self::reading::{Reading, all_of, gather, parquet};
use self::values::set;
use crate::builder::EngineBuilder;
use crate::engine::{DataFusionEngine, SharedDataFusionEngine};
use crate::error::DfOlapError;
use crate::gates::Gates;
use crate::olap::OlapEngine;
use crate::options::{CancelHandle, StatementOptions};

/// The maximum rows of a batch.
const BATCH_ROWS: usize = 8192;

/// An engine whose calls run when JavaScript calls [`turn`](Self::turn).
#[wasm_bindgen]
pub struct RawEngine {
    engine: SharedDataFusionEngine,
    calls: Calls,
    /// The cancel handles of running calls.
    cancels: Cancels,
    /// The cancel handles of open results.
    open_results: Cancels,
    /// Open results, without those that are being read right now.
    results: Rc<RefCell<HashMap<u32, Reading>>>,
    /// Locks for loads that create a table: one load at a time per table name.
    loads: Gates,
}

type Cancels = Rc<RefCell<HashMap<u32, CancelHandle>>>;

#[wasm_bindgen]
impl RawEngine {
    /// An empty engine. `memory_limit_bytes` is for tables and statements together; 0 means the default.
    #[wasm_bindgen(constructor)]
    pub fn new(memory_limit_bytes: f64, statement_timeout_ms: f64) -> Result<RawEngine, JsValue> {
        std::panic::set_hook(Box::new(|panic| {
            wasm_bindgen::throw_str(&panic.to_string())
        }));
        memory::set_limit(memory_limit_bytes);
        let mut builder = EngineBuilder::new()
            .runtime_env(Memory::runtime().map_err(to_js)?)
            .batch_size_rows(BATCH_ROWS)
            .target_partitions(1)
            .max_chain(MAX_CHAIN);
        if statement_timeout_ms > 0.0 {
            builder = builder.statement_timeout(milliseconds(statement_timeout_ms));
        }
        Ok(Self {
            engine: SharedDataFusionEngine::new(builder.build().map_err(to_js)?),
            calls: Calls::default(),
            cancels: Rc::default(),
            open_results: Rc::default(),
            results: Rc::default(),
            loads: Gates::default(),
        })
    }

    /// See [`Calls::turn`].
    pub fn turn(&self) -> Array {
        self.calls.turn()
    }

    /// Stops a call, or a result that it opened.
    pub fn cancel(&self, call: u32) {
        for cancels in [&self.cancels, &self.open_results] {
            if let Some(cancel) = cancels.borrow().get(&call) {
                cancel.cancel();
            }
        }
    }

    /// Runs a statement and collects its rows as an Arrow IPC stream. `progress` is called after each batch with the
    /// number of rows and bytes so far.
    pub fn query(
        &self,
        call: u32,
        sql: String,
        params: JsValue,
        timeout_ms: f64,
        progress: Option<Function>,
    ) {
        let (engine, options) = (self.engine.clone(), self.options(call, &params, timeout_ms));
        self.begin(call, async move {
            let outcome = engine.0.calls.run(&sql, options?).await?;
            gather(outcome, progress).await
        });
    }

    /// All rows of a table or view, as an Arrow IPC stream.
    #[wasm_bindgen(js_name = exportArrow)]
    pub fn export_arrow(
        &self,
        call: u32,
        table: String,
        timeout_ms: f64,
        progress: Option<Function>,
    ) {
        let (engine, options) = (
            self.engine.clone(),
            self.options(call, &JsValue::UNDEFINED, timeout_ms),
        );
        self.begin(call, async move {
            let sql = all_of(&engine, &table).await?;
            let outcome = engine.0.calls.run(&sql, options?).await?;
            gather(outcome, progress).await
        });
    }

    /// Opens a result under the number of the call. Returns the first bytes of the Arrow IPC stream, the schema.
    pub fn open(&self, call: u32, sql: String, params: JsValue, timeout_ms: f64) {
        let (engine, options) = (self.engine.clone(), self.options(call, &params, timeout_ms));
        let (results, open) = (Rc::clone(&self.results), Rc::clone(&self.open_results));
        let cancel = self.cancel_of(call);
        self.begin(call, async move {
            let outcome = engine.0.calls.run(&sql, options?).await?;
            let (reading, head) = Reading::open(outcome)?;
            results.borrow_mut().insert(call, reading);
            open.borrow_mut().insert(call, cancel);
            Ok(head)
        });
    }

    /// Reads on in a result until there are at least `min_bytes`, or to the end. Returns the bytes, the number of their
    /// rows, and whether the end was reached.
    pub fn pull(&self, call: u32, result: u32, min_bytes: usize) {
        let (results, open) = (Rc::clone(&self.results), Rc::clone(&self.open_results));
        self.begin(call, async move {
            let reading = results.borrow_mut().remove(&result);
            let Some(mut reading) = reading else {
                return Err(invalid("this result was closed, or is being read"));
            };
            let (pulled, is_end) = reading.pull(min_bytes).await?;
            if is_end {
                open.borrow_mut().remove(&result);
            } else if open.borrow().contains_key(&result) {
                results.borrow_mut().insert(result, reading);
            }
            Ok(pulled)
        });
    }

    /// Closes a result that was not read to its end.
    pub fn close(&self, result: u32) {
        // A result that is being read right now is cancelled.
        if let Some(cancel) = self.open_results.borrow_mut().remove(&result) {
            cancel.cancel();
        }
        self.results.borrow_mut().remove(&result);
    }

    /// Runs a statement. Returns the number of rows affected.
    pub fn execute(&self, call: u32, sql: String, params: JsValue, timeout_ms: f64) {
        let (engine, options) = (self.engine.clone(), self.options(call, &params, timeout_ms));
        self.begin(call, async move {
            let count = engine.execute_with(&sql, options?).await?;
            Ok((count as f64).into())
        });
    }

    /// Runs statements, all or none. Returns the number of rows affected by each.
    #[wasm_bindgen(js_name = executeBatch)]
    pub fn execute_batch(&self, call: u32, sql: String, params: JsValue, timeout_ms: f64) {
        let (engine, options) = (self.engine.clone(), self.options(call, &params, timeout_ms));
        self.begin(call, async move {
            let counts = engine.execute_batch_with(&sql, options?).await?;
            let counts = counts.into_iter().map(|count| JsValue::from(count as f64));
            Ok(counts.collect::<Array>().into())
        });
    }

    /// Creates a table from a list of `{ name, type, nullable }`.
    #[wasm_bindgen(js_name = createTable)]
    pub fn create_table(&self, call: u32, table: String, columns: JsValue, key: Vec<String>) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            let schema = schema::schema(&engine, schema::columns(&columns)?).await?;
            engine.create_table(&table, &schema, &key).await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    /// Appends an Arrow IPC stream or file to a table, which is created if it does not exist. Returns the number of
    /// rows.
    #[wasm_bindgen(js_name = loadArrow)]
    pub fn load_arrow(&self, call: u32, table: String, bytes: Vec<u8>) {
        self.load(call, table, move |_| Opened::arrow(bytes.into()));
    }

    /// Like `loadArrow`, with a Parquet file.
    #[wasm_bindgen(js_name = loadParquet)]
    pub fn load_parquet(&self, call: u32, table: String, bytes: Vec<u8>) {
        self.load(call, table, move |_| {
            Opened::parquet(bytes.into(), BATCH_ROWS)
        });
    }

    /// Like `loadArrow`, with a CSV file. Its column types are those of the table, or are inferred from its first rows.
    #[wasm_bindgen(js_name = loadCsv)]
    pub fn load_csv(
        &self,
        call: u32,
        table: String,
        bytes: Vec<u8>,
        header: bool,
        delimiter: u8,
        null: Option<String>,
    ) {
        let options = CsvOptions {
            header,
            delimiter,
            null,
        };
        self.load(call, table, move |known| {
            Opened::csv(bytes.into(), &options, known, BATCH_ROWS)
        });
    }

    /// Like `loadArrow`, with JSON: one object after the other, or an array of objects.
    #[wasm_bindgen(js_name = loadJson)]
    pub fn load_json(&self, call: u32, table: String, bytes: Vec<u8>) {
        self.load(call, table, move |known| {
            Opened::json(bytes.into(), known, BATCH_ROWS)
        });
    }

    /// All rows of a table or view as a Parquet file.
    #[wasm_bindgen(js_name = exportParquet)]
    pub fn export_parquet(&self, call: u32, table: String) {
        let (engine, options) = (
            self.engine.clone(),
            self.options(call, &JsValue::UNDEFINED, 0.0),
        );
        self.begin(call, async move {
            let sql = all_of(&engine, &table).await?;
            let outcome = engine.0.calls.run(&sql, options?).await?;
            parquet(outcome).await
        });
    }

    /// The names of all tables.
    pub fn tables(&self, call: u32) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            let names = engine.tables().await?.into_iter().map(JsValue::from);
            Ok(names.collect::<Array>().into())
        });
    }

    /// The columns of a table as a list of `{ name, type, nullable }`.
    #[wasm_bindgen(js_name = tableSchema)]
    pub fn table_schema(&self, call: u32, table: String) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            Ok(schema::to_js(&*engine.table_schema(&table).await?))
        });
    }

    #[wasm_bindgen(js_name = tableExists)]
    pub fn table_exists(&self, call: u32, table: String) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            Ok(engine.table_exists(&table).await?.into())
        });
    }

    /// Adds a column `{ name, type }`, NULL in all rows.
    #[wasm_bindgen(js_name = addColumn)]
    pub fn add_column(&self, call: u32, table: String, column: JsValue) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            let columns = schema::columns(&Array::of1(&column))?;
            let schema = schema::schema(&engine, columns).await?;
            let column = schema.field(0);
            engine
                .add_column(&table, column.name(), column.data_type())
                .await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    #[wasm_bindgen(js_name = dropColumn)]
    pub fn drop_column(&self, call: u32, table: String, column: String) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            engine.drop_column(&table, &column).await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    #[wasm_bindgen(js_name = dropTable)]
    pub fn drop_table(&self, call: u32, table: String) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            engine.drop_table(&table).await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    /// The number of the current version, which each commit increments.
    pub fn version(&self, call: u32) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            Ok((engine.version().await?.0 as f64).into())
        });
    }

    /// Registers a JavaScript function for SQL. `ask` is called with the number of a request, a list of values for each
    /// argument, and the number of rows; [`answer`](Self::answer) returns the values.
    #[wasm_bindgen(js_name = registerFunction)]
    pub fn register_function(
        &self,
        call: u32,
        name: String,
        arguments: Vec<String>,
        returns: String,
        ask: Function,
    ) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            let mut types = Vec::with_capacity(arguments.len());
            for (at, argument) in arguments.iter().enumerate() {
                let what = format!("argument {} of function {name}", at + 1);
                types.push(schema::data_type(&engine, &what, argument).await?);
            }
            let what = format!("the value of function {name}");
            let returns = schema::data_type(&engine, &what, &returns).await?;
            engine.register_udf(functions::scalar(&name, types, returns, ask)?)?;
            Ok(JsValue::UNDEFINED)
        });
    }

    /// Answers a request to a function: with the values of all rows, or with the error.
    pub fn answer(&self, request: u32, values: Option<Array>, error: String) {
        functions::answer(request, values.ok_or(error));
    }

    /// Ends the instance as a defect would, for tests of the recovery.
    #[cfg(debug_assertions)]
    #[allow(clippy::panic, reason = "that is what it is for")]
    pub fn crash(&self, call: u32) {
        self.begin(call, async { panic!("it was asked to crash") });
    }

    /// The bytes in use, their peak, and the limit.
    pub fn memory(&self) -> JsValue {
        let report = Object::new();
        for (name, bytes) in memory::report() {
            set(&report, name, bytes as f64);
        }
        report.into()
    }
}

/// The maximum length of a chain of operators, low because a browser's stack is small.
const MAX_CHAIN: usize = 200;

impl RawEngine {
    fn begin(&self, call: u32, work: impl Future<Output = Result<JsValue, DfOlapError>> + 'static) {
        let cancels = Rc::clone(&self.cancels);
        self.calls.begin(call, async move {
            let outcome = work.await;
            cancels.borrow_mut().remove(&call);
            outcome.map_err(to_js)
        });
    }

    /// The cancel handle of a call, created when it is first used.
    fn cancel_of(&self, call: u32) -> CancelHandle {
        self.cancels.borrow_mut().entry(call).or_default().clone()
    }

    /// The options of a statement. Parameters are read at once, because the caller may change the objects later.
    fn options(
        &self,
        call: u32,
        params: &JsValue,
        timeout_ms: f64,
    ) -> Result<StatementOptions, DfOlapError> {
        let mut options = StatementOptions::new().cancel(&self.cancel_of(call));
        if let Some(params) = values::params(params)? {
            options = options.params(params);
        }
        if timeout_ms > 0.0 {
            options = options.timeout(milliseconds(timeout_ms));
        }
        Ok(options)
    }

    /// Appends a file to a table, which is created if it does not exist.
    fn load(
        &self,
        call: u32,
        table: String,
        open: impl FnOnce(Option<SchemaRef>) -> Result<Opened, DfOlapError> + 'static,
    ) {
        let (engine, cancel) = (self.engine.clone(), self.cancel_of(call));
        let gate = self.loads.of(&table.to_ascii_lowercase());
        self.begin(call, async move {
            let mut known = schema_of(&engine, &table).await?;
            let mut first = None;
            if known.is_none() {
                // Another load may be creating the table.
                first = match select(pin!(gate.write()), pin!(cancel.cancelled())).await {
                    Either::Left((guard, _)) => Some(guard),
                    Either::Right(_) => return Err(DfOlapError::Cancelled),
                };
                known = schema_of(&engine, &table).await?;
            }
            let is_new = known.is_none();
            if !is_new {
                first = None;
            }
            let opened = open(known)?;
            // Each batch is decoded without a pause; other tasks run between batches.
            let batches = stream::iter(opened.batches).then(|batch| async {
                tokio::task::yield_now().await;
                match cancel.is_cancelled() {
                    true => Err(DfOlapError::Cancelled),
                    false => batch.map_err(DfOlapError::from),
                }
            });
            let loaded = match is_new {
                true => {
                    engine
                        .create_table_from(&table, &opened.schema, &[], batches)
                        .await?
                }
                false => engine.load_stream(&table, batches).await?,
            };
            drop(first);
            Ok((loaded as f64).into())
        });
    }
}

fn milliseconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count / 1000.0).unwrap_or(Duration::MAX)
}

/// The schema of a table; `None` if there is no such table.
async fn schema_of(
    engine: &DataFusionEngine,
    table: &str,
) -> Result<Option<SchemaRef>, DfOlapError> {
    Ok(match engine.table_exists(table).await? {
        true => Some(engine.table_schema(table).await?),
        false => None,
    })
}
