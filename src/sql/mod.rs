//! From SQL text to a stream of rows or a change set, on one snapshot.
//!
//! A statement is parsed within limits ([`parse`]), planned against its snapshot ([`planner`]), checked against what the
//! builder allows ([`guard`]), and then either streamed ([`stream`]) or turned into a change set ([`dml`], [`ddl`]). No
//! module here commits anything: that is the engine's last step.

mod catalog;
mod ddl;
mod dml;
mod functions;
mod guard;
mod insert;
mod literal;
mod merge;
mod parse;
mod planner;
mod provider;
mod rows;
mod scan;
mod session;
mod setting;
mod statement;
mod stream;

pub(crate) use catalog::SnapshotCatalog;
pub(crate) use ddl::{Shape, check_type, key_of};
pub(crate) use rows::conform;
pub(crate) use session::{ClosedRegistry, Limits, Session};
pub(crate) use statement::{Effect, Prepared, Run, Statement, Write, parse};
pub(crate) use stream::{Guarded, Limited};
