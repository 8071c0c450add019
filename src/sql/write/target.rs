//! The target table of a write, and the parts of the SELECT that the write is rewritten to.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use datafusion::common::{DFSchema, Result};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::parser::Parser;
use roaring::RoaringTreemap;

use super::rows::shape;
use crate::error::{DfOlapError, unsupported};
use crate::snapshot::{Table, TableDefinition};
use crate::sql::planner::{Planner, TARGET};
use crate::sql::syntax::dialect::EngineDialect;

/// The table that a statement writes, and the alias that the statement gives it.
pub(crate) struct Target {
    pub name: String,
    pub table: Arc<Table>,
    pub alias: String,
}

impl Target {
    /// A table without an alias.
    pub fn named(name: &str, table: Arc<Table>) -> Self {
        Self {
            name: name.to_string(),
            table,
            alias: name.to_string(),
        }
    }

    /// The table without its rows.
    pub fn emptied(&self) -> Self {
        let table = &self.table;
        let definition = Arc::clone(&table.definition);
        let emptied = Table::empty(table.id, definition, table.rows_added_at);
        Self {
            name: self.name.clone(),
            table: Arc::new(emptied),
            alias: self.alias.clone(),
        }
    }

    pub fn new(planner: &Planner, factor: &ast::TableFactor) -> Result<Self> {
        let ast::TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } = factor
        else {
            return Err(unsupported(&format!("writing to '{factor}'")).into());
        };
        if !(with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty()) {
            return Err(unsupported("a table hint on a table that is written").into());
        }
        let (name, table) = planner.table(name)?;
        let alias = match alias {
            None => name.clone(),
            Some(alias) if alias.columns.is_empty() => planner.normalize(&alias.name),
            Some(_) => {
                return Err(unsupported("a column list on a table that is written").into());
            }
        };
        Ok(Self { name, table, alias })
    }

    /// The table with its row addresses, as a part of FROM.
    pub fn from(&self) -> ast::TableWithJoins {
        self.factor(vec![quoted(TARGET), quoted("public"), quoted(&self.name)])
    }

    pub fn factor(&self, name: Vec<ast::Ident>) -> ast::TableWithJoins {
        let mut from = TEMPLATE.from[0].clone();
        if let ast::TableFactor::Table { name: n, alias, .. } = &mut from.relation {
            *n = ast::ObjectName::from(name);
            *alias = Some(ast::TableAlias {
                explicit: true,
                name: quoted(&self.alias),
                columns: Vec::new(),
                at: None,
            });
        }
        from
    }

    pub fn column(&self, name: &str) -> ast::Expr {
        ast::Expr::CompoundIdentifier(vec![quoted(&self.alias), quoted(name)])
    }

    pub fn item(&self, name: &str) -> ast::SelectItem {
        ast::SelectItem::ExprWithAlias {
            expr: self.column(name),
            alias: quoted(name),
        }
    }

    pub fn columns(&self) -> impl Iterator<Item = ast::SelectItem> + '_ {
        let columns = self.table.definition.columns.iter();
        columns.map(|column| self.item(column.field.name()))
    }

    /// The rows of a batch in the table's schema; the table's columns begin at index `first`.
    pub fn rows(&self, batch: &RecordBatch, first: usize) -> Result<RecordBatch, DfOlapError> {
        let definition = &self.table.definition;
        let columns = &batch.columns()[first..first + definition.columns.len()];
        shape(&self.name, definition, columns, batch.num_rows())
    }

    /// Adds the row addresses in a batch's first column to `taken`; an address that is already there is an error.
    pub fn claim(
        &self,
        taken: &mut RoaringTreemap,
        batch: &RecordBatch,
        statement: &str,
    ) -> Result<(), DfOlapError> {
        for address in batch.column(0).as_primitive::<UInt64Type>().values() {
            if !taken.insert(*address) {
                return Err(DfOlapError::Invalid(format!(
                    "{statement} matches a row of {} more than once; make the source rows unique",
                    self.name
                )));
            }
        }
        Ok(())
    }
}

/// `SET a = …`: the new value of each column that gets one.
pub(crate) fn assignments(
    planner: &Planner,
    target: &Target,
    assignments: &[ast::Assignment],
) -> Result<HashMap<String, ast::Expr>> {
    let mut new = HashMap::new();
    let mut assign = |name: &ast::ObjectName, value: &ast::Expr| -> Result<()> {
        let column = assigned_column(planner, target, name)?;
        let value = match default_keyword(value) {
            true => default_expr(&target.table.definition, &column)?,
            false => value.clone(),
        };
        if new.insert(column.clone(), value).is_some() {
            return Err(DfOlapError::Invalid(format!(
                "column '{column}' of {} is assigned twice",
                target.name
            ))
            .into());
        }
        Ok(())
    };
    for assignment in assignments {
        match (&assignment.target, &assignment.value) {
            (ast::AssignmentTarget::ColumnName(name), value) => assign(name, value)?,
            (ast::AssignmentTarget::Tuple(names), ast::Expr::Tuple(values))
                if names.len() == values.len() =>
            {
                for (name, value) in names.iter().zip(values) {
                    assign(name, value)?;
                }
            }
            _ => return Err(unsupported("SET (…) = a subquery").into()),
        }
    }
    Ok(new)
}

fn assigned_column(planner: &Planner, target: &Target, name: &ast::ObjectName) -> Result<String> {
    let idents = name.0.iter().map(|part| part.as_ident());
    let Some(idents) = idents.collect::<Option<Vec<&ast::Ident>>>() else {
        return Err(unsupported(&format!("assigning to '{name}'")).into());
    };
    let column = match idents.last() {
        Some(ident) => planner.column_name(&target.table.definition.columns, ident)?,
        None => String::new(),
    };
    if let Some(qualifier) = idents.iter().rev().nth(1).map(|of| planner.normalize(of))
        && qualifier != target.alias
        && qualifier != target.name
    {
        return Err(DfOlapError::Invalid(format!(
            "'{name}' is assigned, but the statement writes {}",
            target.alias
        ))
        .into());
    }
    known_column(&target.table.definition, &column)?;
    Ok(column)
}

/// Fails with DataFusion's own error if the table has no such column.
pub(crate) fn known_column(definition: &TableDefinition, name: &str) -> Result<()> {
    if definition.column(name).is_some() {
        return Ok(());
    }
    let schema = DFSchema::try_from(Arc::clone(&definition.schema))?;
    Err(datafusion::common::unqualified_field_not_found(
        name, &schema,
    ))
}

/// True for the keyword DEFAULT in place of a value.
pub(crate) fn default_keyword(value: &ast::Expr) -> bool {
    matches!(value, ast::Expr::Identifier(ident)
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// The DEFAULT of a column as SQL; NULL if the column has none.
pub(crate) fn default_expr(definition: &TableDefinition, column: &str) -> Result<ast::Expr> {
    match definition.column(column).and_then(|c| c.default.as_deref()) {
        Some(text) => Ok(Parser::new(&EngineDialect::default())
            .try_with_sql(text)?
            .parse_expr()?),
        None => Ok(ast::Expr::value(ast::Value::Null)),
    }
}

pub(crate) fn quoted(name: &str) -> ast::Ident {
    ast::Ident::with_quote('"', name)
}

/// A minimal SELECT, the template for others: all optional clauses are empty.
static TEMPLATE: LazyLock<Box<ast::Select>> = LazyLock::new(|| {
    let parsed = Parser::parse_sql(&EngineDialect::default(), "SELECT a FROM b");
    match parsed.ok().and_then(|mut all| all.pop()) {
        Some(ast::Statement::Query(query)) => match *query.body {
            ast::SetExpr::Select(select) => select,
            _ => unreachable!("a SELECT parses to a SELECT"),
        },
        _ => unreachable!("a SELECT parses to a query"),
    }
});

pub(crate) fn select(
    with: &Option<ast::With>,
    projection: Vec<ast::SelectItem>,
    from: Vec<ast::TableWithJoins>,
    selection: Option<ast::Expr>,
) -> Result<ast::Query> {
    let select = ast::Select {
        projection,
        from,
        selection,
        ..TEMPLATE.as_ref().clone()
    };
    Ok(ast::Query {
        with: with.clone(),
        body: Box::new(ast::SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    })
}
