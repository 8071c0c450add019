//! From SQL text to a stream of rows or a change set, on one snapshot.
//!
//! A statement is parsed within limits ([`parse`]), planned against its snapshot ([`planner`]), checked against what the
//! builder allows ([`guard`]), and then either streamed ([`stream`]) or turned into a change set ([`dml`], [`ddl`]). No
//! module here commits anything: that is the engine's last step.

mod alter;
mod catalog;
mod checked;
mod column;
mod counts;
mod ddl;
mod decimal;
pub(crate) mod dialect;
mod direct;
mod dml;
mod estimates;
mod external;
mod fallible;
mod false_keys;
mod filters;
mod functions;
mod guard;
mod hints;
mod insert;
mod insert_text;
mod interrupt;
mod joins;
mod literal;
mod merge;
mod names;
mod null_keys;
mod nulls;
mod numerals;
mod order_by_all;
mod paced;
mod parameters;
mod parse;
mod passing;
mod past;
mod planner;
mod plans;
mod provider;
mod prune;
mod rewrite;
mod rounding;
mod row_values;
mod rows;
mod run;
mod same_names;
mod scan;
mod session;
mod setting;
mod sliced;
mod spelling;
mod statement;
mod statistics;
mod stored;
mod stream;
mod struct_types;
mod subqueries;
mod sums;
mod target;
mod totals;
mod unplanned;
mod unread;
mod upsert;
mod version;

pub(crate) use alter::Shape;
pub(crate) use catalog::SnapshotCatalog;
pub(crate) use column::{check_type, key_of};
pub(crate) use external::Created;
pub(crate) use interrupt::Stop;
pub(crate) use rows::conform;
pub(crate) use run::{Effect, Run};
pub(crate) use session::{ClosedRegistry, Limits, Session};
pub(crate) use statement::{Prepared, Statement, Write, parse, parse_one};
pub(crate) use stream::{Guarded, Limited};
