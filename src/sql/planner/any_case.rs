//! Column names without regard to case.
//!
//! SQL reads an unquoted name in lower case. Where no column has that name, the one column is meant that has it but for
//! the case; if there are several, that is an error. DataFusion knows only the first rule. So where a SELECT reads
//! tables and views alone, the names of their columns are put in before it is planned ([`super::own_columns`]): a
//! subquery then means a column of its own tables, and none of the query around it. And a statement in which DataFusion
//! misses a column is planned again with the other name in its place.

use std::ops::ControlFlow;

use datafusion::common::{Column, DataFusionError, Result, SchemaError, TableReference};
use datafusion::sql::sqlparser::ast::{
    self, ExcludeSelectItem, Expr, Ident, JoinConstraint, ObjectName, ObjectNamePart, SelectItem,
    VisitMut, VisitorMut,
};

use super::own_columns::{NoColumns, OwnColumns, Reading, the_one};

/// Names that a statement has more often than this are not looked at one by one.
const MOST_PLACES: usize = 64;
/// Marks a place in a statement. The control character keeps it out of plain SQL.
const MARK: &str = "\u{1}place";

/// Plans a statement, with other names for the columns that are missing.
pub(super) fn plan_in_any_case<T: Clone + VisitMut, P>(
    reading: Reading<'_>,
    mut statement: T,
    plan: &dyn Fn(T) -> Result<P>,
) -> Result<P> {
    let _ = statement.visit(&mut OwnColumns::new(reading));
    let mut error = match plan(statement.clone()) {
        Ok(planned) => return Ok(planned),
        Err(error) => error,
    };
    let mut done: Vec<Column> = Vec::new();
    while let Some((missing, valid)) = missing(&error) {
        let column = missing.clone();
        let places = renamed(&mut statement.clone(), &column, &|_| None);
        if places == 0 || done.contains(&column) {
            break;
        }
        let known = Known::of(reading, &mut statement);
        let Some(meant) = meant(missing, valid, &known)? else {
            break;
        };
        let to = |_| Some(Ident::with_quote('"', &meant));
        match known.names.contains(&column.name) {
            false => {
                renamed(&mut statement, &column, &to);
            }
            // Elsewhere in the statement the name may be that of another column.
            true if places <= MOST_PLACES => {
                let decided = decided(&statement, &column, &meant, places, plan);
                if !decided.contains(&true) {
                    break;
                }
                renamed(&mut statement, &column, &|place| {
                    decided[place].then(|| to(place)).flatten()
                });
            }
            true => break,
        }
        done.push(column);
        error = match plan(statement.clone()) {
            Ok(planned) => return Ok(planned),
            Err(error) => error,
        };
    }
    Err(error)
}

/// For each place of a name, whether it means the other column. Marks tell which place is planned next.
fn decided<T: Clone + VisitMut, P>(
    statement: &T,
    column: &Column,
    meant: &str,
    places: usize,
    plan: &dyn Fn(T) -> Result<P>,
) -> Vec<bool> {
    let mut decided: Vec<Option<bool>> = vec![None; places];
    let missed = |decided: &[Option<bool>]| -> Option<String> {
        let mut tried = statement.clone();
        renamed(&mut tried, column, &|place| match decided[place] {
            None => Some(Ident::with_quote('"', format!("{MARK}{place}"))),
            Some(true) => Some(Ident::with_quote('"', meant)),
            Some(false) => None,
        });
        let error = plan(tried).err()?;
        missing(&error).map(|(column, _)| column.name.clone())
    };
    while let Some(next) = missed(&decided)
        && let Some(place) = next.strip_prefix(MARK)
        && let Ok(place) = place.parse::<usize>()
        && place < places
        && decided[place].is_none()
    {
        decided[place] = Some(false);
        if missed(&decided).as_deref() == Some(column.name.as_str()) {
            decided[place] = Some(true);
        }
    }
    decided.into_iter().map(|of| of == Some(true)).collect()
}

/// The column that an error says is missing, and those that are there.
fn missing(error: &DataFusionError) -> Option<(&Column, &[Column])> {
    match error {
        DataFusionError::SchemaError(inner, _) => match inner.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => Some((field, valid_fields)),
            _ => None,
        },
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => {
            missing(inner)
        }
        DataFusionError::Collection(errors) => missing(errors.first()?),
        _ => None,
    }
}

/// The column that is meant by a name that no column has.
fn meant(column: &Column, valid: &[Column], known: &Known) -> Result<Option<String>> {
    let in_scope = valid.iter().filter(|there| {
        let relation = column.relation.as_ref();
        relation.is_none_or(|of| {
            there
                .relation
                .as_ref()
                .is_none_or(|there| of.resolved_eq(there))
        })
    });
    let in_scope = in_scope.map(|there| there.name.as_str());
    match the_one(&column.name, in_scope)? {
        // A subquery may mean a column of the query around it.
        None => the_one(&column.name, known.columns.iter().map(String::as_str)),
        meant => Ok(meant),
    }
}

/// The names in a statement.
struct Known {
    /// The columns of its tables.
    columns: Vec<String>,
    /// These, and the names that it gives.
    names: Vec<String>,
}

impl Known {
    fn of<T: VisitMut>(reading: Reading<'_>, statement: &mut T) -> Self {
        let mut given = Given {
            reading,
            tables: Vec::new(),
            names: Vec::new(),
        };
        let _ = statement.visit(&mut given);
        let mut columns = Vec::new();
        for name in given.tables {
            let Some(schema) = (reading.columns)(&name) else {
                continue;
            };
            let fields = schema.fields().iter();
            columns.extend(fields.map(|field| field.name().clone()));
        }
        let names = columns.iter().cloned().chain(given.names).collect();
        Self { columns, names }
    }
}

/// A visitor that collects tables and the names that a statement gives to columns.
struct Given<'a> {
    reading: Reading<'a>,
    tables: Vec<String>,
    names: Vec<String>,
}

impl VisitorMut for Given<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let Some(ident) = relation.0.last().and_then(|part| part.as_ident()) {
            self.tables.push((self.reading.normalize)(ident));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.names.push((self.reading.normalize)(alias));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = cte.alias.columns.iter();
            self.names
                .extend(columns.map(|column| (self.reading.normalize)(&column.name)));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut ast::TableFactor) -> ControlFlow<()> {
        if let ast::TableFactor::Derived {
            alias: Some(alias), ..
        }
        | ast::TableFactor::Table {
            alias: Some(alias), ..
        } = factor
        {
            let columns = alias.columns.iter();
            self.names
                .extend(columns.map(|column| (self.reading.normalize)(&column.name)));
        }
        ControlFlow::Continue(())
    }
}

/// Puts other names in the places of a missing column, and counts them. `to` gives the name for a place.
fn renamed<T: VisitMut>(
    statement: &mut T,
    column: &Column,
    to: &dyn Fn(usize) -> Option<Ident>,
) -> usize {
    let mut rename = Rename {
        name: &column.name,
        table: column.relation.as_ref().map(TableReference::table),
        to,
        places: 0,
        no_columns: NoColumns::default(),
    };
    let _ = statement.visit(&mut rename);
    rename.places
}

/// A visitor over the unquoted names of columns.
struct Rename<'a> {
    name: &'a str,
    /// The table before the name; without it only names without a table are meant.
    table: Option<&'a str>,
    to: &'a dyn Fn(usize) -> Option<Ident>,
    places: usize,
    no_columns: NoColumns,
}

impl Rename<'_> {
    fn ident(&mut self, ident: &mut Ident) {
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case(self.name) {
            if let Some(to) = (self.to)(self.places) {
                *ident = to;
            }
            self.places += 1;
        }
    }

    fn last(&mut self, name: &mut ObjectName) {
        if let Some(ObjectNamePart::Identifier(ident)) = name.0.last_mut() {
            self.ident(ident);
        }
    }
}

impl VisitorMut for Rename<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.no_columns.enter(expr);
        let is_none = match &*expr {
            Expr::Identifier(ident) => self.no_columns.has(expr, ident),
            _ => false,
        };
        match expr {
            Expr::Identifier(ident) if !is_none && self.table.is_none() => self.ident(ident),
            Expr::CompoundIdentifier(parts) => {
                let place = parts.iter().position(|part| {
                    self.table
                        .is_some_and(|table| part.value.eq_ignore_ascii_case(table))
                });
                if let Some(column) = place.and_then(|place| parts.get_mut(place + 1)) {
                    self.ident(column);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.no_columns.leave(expr);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            let (SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options)) = item
            else {
                continue;
            };
            match &mut options.opt_exclude {
                Some(ExcludeSelectItem::Single(name)) => self.last(name),
                Some(ExcludeSelectItem::Multiple(names)) => {
                    names.iter_mut().for_each(|name| self.last(name));
                }
                None => {}
            }
            if let Some(replaced) = &mut options.opt_replace {
                for item in &mut replaced.items {
                    self.ident(&mut item.column_name);
                }
            }
            if let Some(except) = &mut options.opt_except {
                self.ident(&mut except.first_element);
                let others = except.additional_elements.iter_mut();
                others.for_each(|ident| self.ident(ident));
            }
        }
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            use ast::JoinOperator as J;
            if let J::Join(JoinConstraint::Using(names))
            | J::Inner(JoinConstraint::Using(names))
            | J::Left(JoinConstraint::Using(names))
            | J::LeftOuter(JoinConstraint::Using(names))
            | J::Right(JoinConstraint::Using(names))
            | J::RightOuter(JoinConstraint::Using(names))
            | J::FullOuter(JoinConstraint::Using(names)) = &mut join.join_operator
            {
                names.iter_mut().for_each(|name| self.last(name));
            }
        }
        ControlFlow::Continue(())
    }
}
