//! What a fuzzer calls with texts that may be an INSERT of literals.

use datafusion::common::config::ConfigOptions;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast;

use super::insert::literals;
use super::insert_text;
use crate::sql::planner::normalize;
use crate::sql::syntax::parse::{TextLimits, parse_statements};

/// Compares what the minimal parser reads in `sql` with what the parser reads.
///
/// # Panics
/// Where the minimal parser reads anything that the parser refuses or reads otherwise.
pub fn insert(sql: &str) {
    let config = ConfigOptions::default();
    let Some(read) = insert_text::read(sql, config.sql_parser.enable_ident_normalization) else {
        return;
    };
    let statements = parse_statements(sql, &TextLimits::default()).expect("a statement");
    let [DFStatement::Statement(statement)] = statements.as_slices().0 else {
        panic!("{} statements", statements.len());
    };
    let ast::Statement::Insert(statement) = statement.as_ref() else {
        panic!("another statement: {statement}");
    };
    let parsed = literals(statement, |ident| normalize(&config, ident), None);
    assert_eq!(Some(read), parsed);
}
