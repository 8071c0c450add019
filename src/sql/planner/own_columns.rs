//! The names of the columns of a SELECT that reads tables alone, put in without regard to case.

use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{self, Expr, Ident, SelectItem, VisitorMut};

use crate::error::DfOlapError;
use crate::snapshot::{Relation, Snapshot};

/// How names are read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub snapshot: &'a Snapshot,
    /// The name that an identifier says.
    pub normalize: &'a dyn Fn(&Ident) -> String,
}

/// The one name that is equal but for the case; `None` if there is none.
pub(super) fn the_one<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str>,
) -> Result<Option<String>> {
    let mut equal: Vec<&str> = names
        .filter(|there| there.eq_ignore_ascii_case(name))
        .collect();
    equal.sort_unstable();
    equal.dedup();
    match equal.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).to_string())),
        several => {
            let several: Vec<String> = several.iter().map(|of| format!("\"{of}\"")).collect();
            Err(DfOlapError::Invalid(format!(
                "the name {name} may be any of the columns {}; write it in quotes as one of them",
                several.join(", ")
            ))
            .into())
        }
    }
}

/// A visitor that gives the columns of the tables of a SELECT their own names.
pub(super) struct OwnColumns<'a> {
    reading: Reading<'a>,
    /// For each SELECT that is being visited its columns and aliases; `None` if not all of its columns are known, or if
    /// none has a capital.
    open: Vec<Option<Own>>,
    /// The names of the CTEs of the queries that are being visited.
    ctes: Vec<Vec<String>>,
}

struct Own {
    columns: Vec<String>,
    aliases: Vec<String>,
}

impl<'a> OwnColumns<'a> {
    pub fn new(reading: Reading<'a>) -> Self {
        Self {
            reading,
            open: Vec::new(),
            ctes: Vec::new(),
        }
    }

    fn own(&self, select: &ast::Select) -> Option<Own> {
        let mut columns = Vec::new();
        for from in &select.from {
            let joined = from.joins.iter().map(|join| &join.relation);
            for factor in std::iter::once(&from.relation).chain(joined) {
                let ast::TableFactor::Table {
                    name,
                    alias,
                    args: None,
                    ..
                } = factor
                else {
                    return None;
                };
                if alias
                    .as_ref()
                    .is_some_and(|alias| !alias.columns.is_empty())
                {
                    return None;
                }
                let name = (self.reading.normalize)(name.0.last()?.as_ident()?);
                if self.ctes.iter().flatten().any(|cte| *cte == name) {
                    return None;
                }
                let Some(Relation::Table(table)) = self.reading.snapshot.relation(&name) else {
                    return None;
                };
                let of_table = table.definition.columns.iter();
                columns.extend(of_table.map(|column| column.field.name().clone()));
            }
        }
        let has_capital = |name: &String| name.contains(|c: char| c.is_ascii_uppercase());
        columns.iter().any(has_capital).then(|| {
            let aliases = select.projection.iter().filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some((self.reading.normalize)(alias)),
                _ => None,
            });
            Own {
                aliases: aliases.collect(),
                columns,
            }
        })
    }
}

impl VisitorMut for OwnColumns<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        let names = ctes.map(|cte| (self.reading.normalize)(&cte.alias.name));
        self.ctes.push(names.collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut ast::Query) -> ControlFlow<()> {
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        self.open.push(self.own(select));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut ast::Select) -> ControlFlow<()> {
        self.open.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let (Expr::Identifier(ident), Some(Some(own))) = (expr, self.open.last())
            && ident.quote_style.is_none()
        {
            let name = (self.reading.normalize)(ident);
            let is_known = own.columns.contains(&name) || own.aliases.contains(&name);
            let columns = own.columns.iter().map(String::as_str);
            // A name of several columns is an error where DataFusion misses it.
            if !is_known && let Ok(Some(meant)) = the_one(&name, columns) {
                *ident = Ident::with_quote('"', meant);
            }
        }
        ControlFlow::Continue(())
    }
}
