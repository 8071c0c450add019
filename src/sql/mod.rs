//! From SQL text to a stream of rows or a change set, on one snapshot.
//!
//! The rooms, by the life of a statement: its text becomes a syntax tree within limits ([`syntax`]); that is planned
//! against a snapshot ([`planner`]) over its tables ([`scan`]), and checked against what the builder allows. The plan
//! is rewritten ([`expressions`], [`optimizer`]) and run ([`execution`]) within its deadline and its memory
//! ([`resources`]). A statement that writes makes a change set of the rows ([`write`], [`ddl`]). Which statement is
//! which, and who does it, says [`statement`]. Nothing here commits anything: that is the engine's last step.

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

pub(crate) use ddl::alter::TableEdit;
pub(crate) use ddl::column::{check_type, key_of};
pub(crate) use execution::session::{ClosedRegistry, Limits, Session};
pub(crate) use execution::stream::{Limited, SnapshotStream, with_room};
pub(crate) use execution::{Effect, Run};
pub(crate) use planner::StatementContext;
pub(crate) use planner::catalog::SnapshotCatalog;
pub(crate) use resources::interrupt::Stop;
pub(crate) use statement::sources::Created;
pub(crate) use statement::{Prepared, Statement, Write, parse, parse_one};
pub(crate) use syntax::parse::is_short;
pub(crate) use write::fast_path::insert::Literals;
pub(crate) use write::insert::{effect_of_literals, read_literals};
pub(crate) use write::rows::conform;
