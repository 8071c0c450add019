//! The engine as JavaScript sees it, for the npm package alone: its TypeScript side wraps this in promises, workers and streams.
//!
//! - W1 A call is begun with a number of the caller's and runs in [`RawEngine::turn`]. So a trap is an exception in one place, and
//!   the event loop has its turn between slices.
//! - W2 Results are Arrow IPC bytes, in types that every reader knows.
//! - W3 An error is an `Error` with the code of its kind. Anything else that is thrown means that the instance is lost.

mod calls;
mod error;
mod files;
mod functions;
mod json;
mod memory;
mod results;
mod schema;
mod values;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use self::calls::Calls;
use self::error::{invalid, to_js};
use self::files::{CsvOptions, Opened, ParquetFile};
use self::memory::Memory;
use self::results::Writer;
use crate::builder::EngineBuilder;
use crate::engine::SharedDataFusionEngine;
use crate::error::DfOlapError;
use crate::olap::OlapEngine;
use crate::options::{CancelHandle, StatementOptions};
use crate::runtime::check_room;

/// The rows of a batch.
const BATCH_ROWS: usize = 8192;

/// An engine whose calls JavaScript gives their turns.
#[wasm_bindgen]
pub struct RawEngine {
    engine: SharedDataFusionEngine,
    calls: Calls,
    /// How calls are stopped, and results that are open.
    cancels: Cancels,
    open_results: Cancels,
    /// Those that are not being read right now.
    results: Rc<RefCell<HashMap<u32, Reading>>>,
}

/// A result that is being read.
struct Reading {
    rows: BoxStream<'static, Result<RecordBatch, DfOlapError>>,
    writer: Writer,
}

type Cancels = Rc<RefCell<HashMap<u32, CancelHandle>>>;

type Outcome = Result<JsValue, DfOlapError>;

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

    /// Runs a statement and gathers its rows, as an Arrow IPC stream. `progress` is told now and then how many rows and bytes there
    /// are.
    pub fn query(
        &self,
        call: u32,
        sql: String,
        params: JsValue,
        timeout_ms: f64,
        progress: Option<Function>,
    ) {
        let (engine, cancels) = (self.engine.clone(), Rc::clone(&self.cancels));
        self.begin(call, async move {
            let cancel = Self::cancel_of(&cancels, call);
            let options = options(&params, timeout_ms, &cancel)?;
            let outcome = engine.0.executor.run(&sql, options).await?;
            let mut writer = Writer::new(&outcome.schema())?;
            let (mut rows, mut count) = (outcome.stream(), 0);
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                check_room(batch.get_array_memory_size())?;
                writer.write(&batch)?;
                count += batch.num_rows();
                if let Some(progress) = &progress {
                    let told = Object::new();
                    set(&told, "rows", count as f64);
                    set(&told, "bytes", writer.len() as f64);
                    // What the caller does with it is no concern of the query.
                    let _ = progress.call1(&JsValue::UNDEFINED, &told);
                }
            }
            Ok(bytes_to_js(&writer.end()?))
        });
    }

    /// Opens a result under the number of the call. Returns the first bytes of an Arrow IPC stream, its schema.
    pub fn open(&self, call: u32, sql: String, params: JsValue, timeout_ms: f64) {
        let (engine, results) = (self.engine.clone(), Rc::clone(&self.results));
        let (cancels, open) = (Rc::clone(&self.cancels), Rc::clone(&self.open_results));
        self.begin(call, async move {
            let cancel = Self::cancel_of(&cancels, call);
            let options = options(&params, timeout_ms, &cancel)?;
            let outcome = engine.0.executor.run(&sql, options).await?;
            let mut writer = Writer::new(&outcome.schema())?;
            let rows = outcome.stream();
            let head = bytes_to_js(&writer.take());
            results.borrow_mut().insert(call, Reading { rows, writer });
            open.borrow_mut().insert(call, cancel);
            Ok(head)
        });
    }

    /// Reads on in a result until there are so many bytes, or all. Returns the bytes, how many rows they hold, and whether it was
    /// the end.
    pub fn pull(&self, call: u32, result: u32, min_bytes: usize) {
        let (results, open) = (Rc::clone(&self.results), Rc::clone(&self.open_results));
        self.begin(call, async move {
            let reading = results.borrow_mut().remove(&result);
            let Some(mut reading) = reading else {
                return Err(invalid("this result was closed, or is being read"));
            };
            let mut rows = 0;
            let mut is_end = false;
            while reading.writer.len() < min_bytes.max(1) && !is_end {
                match reading.rows.next().await {
                    Some(batch) => {
                        let batch = batch?;
                        rows += batch.num_rows();
                        reading.writer.write(&batch)?;
                    }
                    None => is_end = true,
                }
            }
            let bytes = match is_end {
                true => reading.writer.end()?,
                false => reading.writer.take(),
            };
            if is_end {
                open.borrow_mut().remove(&result);
            } else if open.borrow().contains_key(&result) {
                results.borrow_mut().insert(result, reading);
            }
            Ok(Array::of3(&bytes_to_js(&bytes), &(rows as f64).into(), &is_end.into()).into())
        });
    }

    /// Forgets a result that is not read to its end.
    pub fn close(&self, result: u32) {
        // One that is being read right now is stopped.
        if let Some(cancel) = self.open_results.borrow_mut().remove(&result) {
            cancel.cancel();
        }
        self.results.borrow_mut().remove(&result);
    }

    /// Runs a statement. Returns the number of rows affected.
    pub fn execute(&self, call: u32, sql: String, params: JsValue, timeout_ms: f64) {
        let (engine, cancels) = (self.engine.clone(), Rc::clone(&self.cancels));
        self.begin(call, async move {
            let cancel = Self::cancel_of(&cancels, call);
            let options = options(&params, timeout_ms, &cancel)?;
            let count = engine.execute_with(&sql, options).await?;
            Ok((count as f64).into())
        });
    }

    /// Runs statements, all or none. Returns the number of rows affected by each.
    #[wasm_bindgen(js_name = executeBatch)]
    pub fn execute_batch(&self, call: u32, sql: String, params: JsValue, timeout_ms: f64) {
        let (engine, cancels) = (self.engine.clone(), Rc::clone(&self.cancels));
        self.begin(call, async move {
            let cancel = Self::cancel_of(&cancels, call);
            let options = options(&params, timeout_ms, &cancel)?;
            let counts = engine.execute_batch_with(&sql, options).await?;
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

    /// Appends an Arrow IPC stream or file to a table, which is made if it is not there. Returns the number of rows.
    #[wasm_bindgen(js_name = loadArrow)]
    pub fn load_arrow(&self, call: u32, table: String, bytes: Vec<u8>) {
        self.load(call, table, move |_| Opened::arrow(bytes.into()));
    }

    /// The same with a Parquet file.
    #[wasm_bindgen(js_name = loadParquet)]
    pub fn load_parquet(&self, call: u32, table: String, bytes: Vec<u8>) {
        self.load(call, table, move |_| {
            Opened::parquet(bytes.into(), BATCH_ROWS)
        });
    }

    /// The same with a text file, whose types are those of the table, or are found by looking at its first rows.
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

    /// The same with JSON: one object after the other, or a list of objects.
    #[wasm_bindgen(js_name = loadJson)]
    pub fn load_json(&self, call: u32, table: String, bytes: Vec<u8>) {
        self.load(call, table, move |known| {
            Opened::json(bytes.into(), known, BATCH_ROWS)
        });
    }

    /// The rows of a query as a Parquet file.
    #[wasm_bindgen(js_name = exportParquet)]
    pub fn export_parquet(&self, call: u32, sql: String, params: JsValue) {
        let (engine, cancels) = (self.engine.clone(), Rc::clone(&self.cancels));
        self.begin(call, async move {
            let cancel = Self::cancel_of(&cancels, call);
            let options = options(&params, 0.0, &cancel)?;
            let outcome = engine.0.executor.run(&sql, options).await?;
            let mut file = ParquetFile::new(outcome.schema())?;
            let mut rows = outcome.stream();
            while let Some(batch) = rows.next().await {
                file.write(&batch?)?;
            }
            Ok(bytes_to_js(&file.finish()?))
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

    /// How many changes were committed.
    pub fn version(&self, call: u32) {
        let engine = self.engine.clone();
        self.begin(call, async move {
            Ok((engine.version().await?.0 as f64).into())
        });
    }

    /// Makes a function of JavaScript known to SQL. `ask` is given the number of a request, a list of values for each argument, and
    /// the number of rows; [`answer`](Self::answer) brings the values.
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

    /// Answers a request to a function: with the values of all rows, or with why it failed.
    pub fn answer(&self, request: u32, values: Option<Array>, error: String) {
        functions::answer(request, values.ok_or(error));
    }

    /// Ends the instance as a defect would, for tests of what follows.
    #[cfg(debug_assertions)]
    #[allow(clippy::panic, reason = "that is what it is for")]
    pub fn crash(&self, call: u32) {
        self.begin(call, async { panic!("it was asked to crash") });
    }

    /// The bytes in use, the most that were, and the limit.
    pub fn memory(&self) -> JsValue {
        let report = Object::new();
        for (name, bytes) in memory::report() {
            set(&report, name, bytes as f64);
        }
        report.into()
    }
}

/// The most links of a chain of operators: the stack is a browser's.
const MAX_CHAIN: usize = 200;

impl RawEngine {
    fn begin(&self, call: u32, work: impl Future<Output = Outcome> + 'static) {
        let cancels = Rc::clone(&self.cancels);
        self.calls.begin(call, async move {
            let outcome = work.await;
            cancels.borrow_mut().remove(&call);
            outcome.map_err(to_js)
        });
    }

    fn cancel_of(cancels: &Cancels, call: u32) -> CancelHandle {
        cancels.borrow_mut().entry(call).or_default().clone()
    }

    /// Appends a file to a table, which is made if it is not there.
    fn load(
        &self,
        call: u32,
        table: String,
        open: impl FnOnce(Option<SchemaRef>) -> Result<Opened, DfOlapError> + 'static,
    ) {
        let (engine, cancels) = (self.engine.clone(), Rc::clone(&self.cancels));
        self.begin(call, async move {
            let cancel = Self::cancel_of(&cancels, call);
            let known = match engine.table_exists(&table).await? {
                true => Some(engine.table_schema(&table).await?),
                false => None,
            };
            let is_new = known.is_none();
            let opened = open(known)?;
            // Each batch is decoded in one go; between them others have their turn.
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
            Ok((loaded as f64).into())
        });
    }
}

fn options(
    params: &JsValue,
    timeout_ms: f64,
    cancel: &CancelHandle,
) -> Result<StatementOptions, DfOlapError> {
    let mut options = StatementOptions::new().cancel(cancel);
    if let Some(params) = values::params(params)? {
        options = options.params(params);
    }
    if timeout_ms > 0.0 {
        options = options.timeout(milliseconds(timeout_ms));
    }
    Ok(options)
}

fn milliseconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count / 1000.0).unwrap_or(Duration::MAX)
}

fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &name.into(), &value.into());
}

fn bytes_to_js(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}
