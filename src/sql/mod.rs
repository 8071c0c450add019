//! From SQL text to a stream of rows or a change set, on one snapshot.
//!
//! The modules, by the life of a statement: [`syntax`] parses the text to a syntax tree, within limits. [`planner`]
//! plans the tree against a snapshot, over the tables of [`scan`], and checks the plan against what the builder
//! allows. [`expressions`] and [`optimizer`] rewrite the plan, and [`execution`] runs the plan within its timeout and
//! memory limit ([`resources`]). [`write`] and [`ddl`] make the change set of a writing statement, [`changes`] that of
//! changes of another database. [`statement`] classifies statements and dispatches them to these modules. Nothing here
//! commits: that is the engine's last step.

mod changes;
mod ddl;
mod execution;
mod expressions;
mod optimizer;
mod planner;
mod resources;
mod scan;
mod statement;
pub(crate) mod syntax;
mod write;

pub(crate) use changes::{check_source, effect as effect_of_changes};
pub(crate) use ddl::alter::TableEdit;
pub(crate) use ddl::column::{check_type, key_of};
pub(crate) use execution::session::{ClosedRegistry, Limits, Session};
pub(crate) use execution::stream::{Limited, SnapshotStream};
pub(crate) use execution::{Effect, Run};
pub(crate) use planner::StatementContext;
pub(crate) use planner::catalog::SnapshotCatalog;
pub(crate) use resources::buffered_rows::BufferedRows;
#[cfg(feature = "json")]
pub(crate) use resources::cooperative::Pace;
pub(crate) use resources::interrupt::Stop;
pub(crate) use statement::sources::Created;
pub(crate) use statement::{Prepared, Statement, Write, parse, parse_one};
#[cfg(fuzzing)]
pub use syntax::fuzz::statements;
pub(crate) use syntax::parse::is_short;
pub(crate) use write::enforce::{NewRows, check_key_types};
#[cfg(fuzzing)]
pub use write::fast_path::fuzz::insert;
pub(crate) use write::fast_path::insert::Literals;
pub(crate) use write::insert::{effect_of_literals, read_literals};
pub(crate) use write::new_keys::KeysOfRows;
#[cfg(feature = "rhei")]
pub(crate) use write::replace::effect_of_rows;
pub(crate) use write::rows::conform;
