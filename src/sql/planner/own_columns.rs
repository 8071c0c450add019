//! The names of the columns of a SELECT that reads tables and views alone, put in without regard to case.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{self, Expr, Ident, SelectItem, VisitorMut};

use crate::error::DfOlapError;

/// How names are read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The columns of the table, view or external table of a name.
    pub columns: &'a dyn Fn(&str) -> Option<SchemaRef>,
    /// The name that an identifier says.
    pub normalize: &'a dyn Fn(&Ident) -> String,
    /// Whether a CTE before the statement has this name.
    pub is_cte: &'a dyn Fn(&str) -> bool,
    /// The catalog of the tables that are written.
    pub target: &'a str,
}

/// The identifiers in an expression that are no columns: parameters of lambdas, and fields after a dot.
#[derive(Default)]
pub(super) struct NoColumns {
    /// The parameters of the lambdas that are being visited.
    parameters: Vec<String>,
    /// The expressions after dots, by their address in the syntax tree.
    fields: HashSet<*const Expr>,
}

impl NoColumns {
    /// Before the parts of an expression are visited.
    pub fn enter(&mut self, expr: &Expr) {
        match expr {
            Expr::Lambda(lambda) => {
                let names = lambda
                    .params
                    .iter()
                    .map(|of| of.name.value.to_ascii_lowercase());
                self.parameters.extend(names);
            }
            Expr::CompoundFieldAccess { access_chain, .. } => {
                self.fields
                    .extend(access_chain.iter().filter_map(|access| match access {
                        ast::AccessExpr::Dot(field) => Some(std::ptr::from_ref(field)),
                        ast::AccessExpr::Subscript(_) => None,
                    }));
            }
            _ => {}
        }
    }

    /// After the parts of an expression were visited.
    pub fn leave(&mut self, expr: &Expr) {
        if let Expr::Lambda(lambda) = expr {
            let left = self
                .parameters
                .len()
                .saturating_sub(lambda.params.iter().count());
            self.parameters.truncate(left);
        }
    }

    /// Whether an identifier is none of a column.
    pub fn has(&self, expr: &Expr, ident: &Ident) -> bool {
        let mut parameters = self.parameters.iter();
        self.fields.contains(&std::ptr::from_ref(expr))
            || parameters.any(|parameter| parameter.eq_ignore_ascii_case(&ident.value))
    }
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

/// A visitor that gives the columns of the tables and views of a SELECT their own names.
pub(super) struct OwnColumns<'a> {
    reading: Reading<'a>,
    /// For each SELECT that is being visited its columns and aliases; `None` if not all of its columns are known, or if
    /// none has a capital.
    open: Vec<Option<Own>>,
    /// The names of the CTEs of the queries that are being visited.
    ctes: Vec<Vec<String>>,
    no_columns: NoColumns,
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
            no_columns: NoColumns::default(),
        }
    }

    /// The name of a column of the innermost SELECT that an identifier means in another case.
    fn meant(&self, ident: &Ident) -> Option<Ident> {
        let own = self.open.last()?.as_ref()?;
        let name = (self.reading.normalize)(ident);
        let is_known = own.columns.contains(&name) || own.aliases.contains(&name);
        if ident.quote_style.is_some() || is_known {
            return None;
        }
        // A name of several columns is an error where DataFusion misses it.
        let columns = own.columns.iter().map(String::as_str);
        let meant = the_one(&name, columns).ok()??;
        Some(Ident::with_quote('"', meant))
    }

    fn own(&self, select: &ast::Select) -> Option<Own> {
        let mut schemas: Vec<SchemaRef> = Vec::new();
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
                let parts = name.0.iter().map(|part| part.as_ident());
                let parts = parts.collect::<Option<Vec<&Ident>>>()?;
                // A table of another schema has columns that are not known here.
                let is_own = parts.len() == 1 || parts[0].value == self.reading.target;
                let name = (self.reading.normalize)(parts.last()?);
                let is_cte = || self.ctes.iter().flatten().any(|cte| *cte == name);
                if !is_own || parts.len() == 1 && (is_cte() || (self.reading.is_cte)(&name)) {
                    return None;
                }
                schemas.push((self.reading.columns)(&name)?);
            }
        }
        let columns = schemas.iter().flat_map(|schema| schema.fields());
        let names = columns.map(|column| column.name());
        let has_capital = |name: &String| name.bytes().any(|byte| byte.is_ascii_uppercase());
        names.clone().any(has_capital).then(|| {
            let aliases = select.projection.iter().filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some((self.reading.normalize)(alias)),
                _ => None,
            });
            Own {
                aliases: aliases.collect(),
                columns: names.cloned().collect(),
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
        // ORDER BY and LIMIT of a query do not see the columns of the query around it alone.
        self.open.push(None);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut ast::Query) -> ControlFlow<()> {
        self.ctes.pop();
        self.open.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        self.open.push(self.own(select));
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item
                && let Some(replaced) = &mut options.opt_replace
            {
                for item in &mut replaced.items {
                    if let Some(meant) = self.meant(&item.column_name) {
                        item.column_name = meant;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut ast::Select) -> ControlFlow<()> {
        self.open.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.no_columns.enter(expr);
        if let Expr::Identifier(ident) = &*expr
            && !self.no_columns.has(expr, ident)
            && let Some(meant) = self.meant(ident)
        {
            *expr = Expr::Identifier(meant);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.no_columns.leave(expr);
        ControlFlow::Continue(())
    }
}
