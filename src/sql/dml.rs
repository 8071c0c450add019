//! UPDATE, DELETE, TRUNCATE, and what all writes share: a write is a SELECT over row addresses, followed by one commit.
//!
//! DataFusion's own hooks hand over the plain filters of a DELETE and lose the rest: `WHERE id IN (SELECT …)` arrives as no
//! filter at all, which means every row. So a statement is rewritten, as parsed, into a SELECT whose target is the same table
//! with its row addresses. All that a SELECT can say in FROM and WHERE then works, with DataFusion's semantics.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use futures::{StreamExt, stream};
use roaring::RoaringTreemap;

use super::planner::{Planner, ROWS, TARGET};
use super::rows::{Gathered, shape};
use super::scan::ROW_ADDRESS;
use super::statement::{Effect, Run, unsupported};
use crate::change::{Action, ChangeSet, deletions};
use crate::error::DfOlapError;
use crate::snapshot::{Table, TableDefinition};

pub(crate) async fn delete(
    run: &Run<'_>,
    with: &Option<ast::With>,
    statement: &ast::Delete,
) -> Result<Effect, DfOlapError> {
    let (plan, target) = {
        let planner = run.planner();
        let target = delete_target(&planner, statement)?;
        (plan_delete(&planner, with, statement)?, target)
    };
    let mut dead = RoaringTreemap::new();
    let mut old = Gathered::new(run.runtime());
    let mut rows = run.stream(plan).await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let addresses = batch.column(0).as_primitive::<UInt64Type>();
        // USING may match a row more than once; it dies once.
        let first: BooleanArray = addresses
            .values()
            .iter()
            .map(|address| Some(dead.insert(*address)))
            .collect();
        if statement.returning.is_some() {
            let batch = filter_record_batch(&batch, &first)?;
            let definition = &target.table.definition;
            old.push(shape(
                &target.name,
                definition,
                &batch.columns()[1..],
                batch.num_rows(),
            )?)?;
        }
    }
    let returning = match &statement.returning {
        Some(items) => Some(returning(run, &target, old.batches, items).await?),
        None => None,
    };
    Ok(Effect {
        change: ChangeSet {
            actions: deletions(&target.table, &dead),
        },
        rows: dead.len(),
        returning,
    })
}

fn delete_target(planner: &Planner, statement: &ast::Delete) -> Result<Target> {
    if !statement.tables.is_empty() {
        return Err(unsupported("DELETE of several tables").into());
    }
    let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) =
        &statement.from;
    match from.as_slice() {
        [table] if table.joins.is_empty() => Target::new(planner, &table.relation),
        _ => Err(unsupported("DELETE from several tables; use USING").into()),
    }
}

pub(crate) fn plan_delete(
    planner: &Planner,
    with: &Option<ast::With>,
    statement: &ast::Delete,
) -> Result<LogicalPlan> {
    refuse("DELETE with ORDER BY", !statement.order_by.is_empty())?;
    refuse("DELETE with LIMIT", statement.limit.is_some())?;
    refuse("DELETE with OUTPUT", statement.output.is_some())?;
    let target = delete_target(planner, statement)?;
    let mut projection = vec![target.item(ROW_ADDRESS)];
    if statement.returning.is_some() {
        projection.extend(target.columns());
    }
    let mut from = vec![target.from()];
    from.extend(statement.using.iter().flatten().cloned());
    planner.query(select(with, projection, from, statement.selection.clone())?)
}

pub(crate) async fn update(
    run: &Run<'_>,
    with: &Option<ast::With>,
    statement: &ast::Update,
) -> Result<Effect, DfOlapError> {
    let (plan, target) = {
        let planner = run.planner();
        let target = update_target(&planner, statement)?;
        (plan_update(&planner, with, statement)?, target)
    };
    let mut dead = RoaringTreemap::new();
    let mut new = Gathered::new(run.runtime());
    let mut rows = run.stream(plan).await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        target.claim(&mut dead, &batch, "UPDATE")?;
        let definition = &target.table.definition;
        new.push(shape(
            &target.name,
            definition,
            &batch.columns()[1..],
            batch.num_rows(),
        )?)?;
    }
    let count = dead.len();
    let returning = match &statement.returning {
        Some(items) => Some(returning(run, &target, new.batches.clone(), items).await?),
        None => None,
    };
    let mut actions = deletions(&target.table, &dead);
    actions.extend(append(run, &target.table, new).await?);
    Ok(Effect {
        change: ChangeSet { actions },
        rows: count,
        returning,
    })
}

fn update_target(planner: &Planner, statement: &ast::Update) -> Result<Target> {
    if !statement.table.joins.is_empty() {
        return Err(unsupported("UPDATE of a join; use FROM").into());
    }
    Target::new(planner, &statement.table.relation)
}

pub(crate) fn plan_update(
    planner: &Planner,
    with: &Option<ast::With>,
    statement: &ast::Update,
) -> Result<LogicalPlan> {
    refuse("UPDATE with ORDER BY", !statement.order_by.is_empty())?;
    refuse("UPDATE with LIMIT", statement.limit.is_some())?;
    refuse("UPDATE with OUTPUT", statement.output.is_some())?;
    refuse("UPDATE OR", statement.or.is_some())?;
    let target = update_target(planner, statement)?;
    let mut new = assignments(planner, &target, &statement.assignments)?;
    let mut projection = vec![target.item(ROW_ADDRESS)];
    for column in &target.table.definition.columns {
        let name = column.field.name();
        projection.push(match new.remove(name) {
            Some(expr) => ast::SelectItem::ExprWithAlias {
                expr,
                alias: quoted(name),
            },
            None => target.item(name),
        });
    }
    let mut from = vec![target.from()];
    match &statement.from {
        Some(
            ast::UpdateTableFromKind::BeforeSet(tables)
            | ast::UpdateTableFromKind::AfterSet(tables),
        ) => from.extend(tables.iter().cloned()),
        None => {}
    }
    let query = select(with, projection, from, statement.selection.clone())?;
    cast_to_columns(planner.query(query)?, &target.table.definition, 1)
}

pub(crate) fn truncate(run: &Run<'_>, statement: &ast::Truncate) -> Result<Effect, DfOlapError> {
    refuse("TRUNCATE with PARTITION", statement.partitions.is_some())?;
    refuse("TRUNCATE with IDENTITY", statement.identity.is_some())?;
    refuse(
        "TRUNCATE with CASCADE or RESTRICT",
        statement.cascade.is_some(),
    )?;
    refuse("TRUNCATE ON CLUSTER", statement.on_cluster.is_some())?;
    let [target] = statement.table_names.as_slice() else {
        return Err(unsupported("TRUNCATE of several tables"));
    };
    refuse("TRUNCATE ONLY", target.only)?;
    let table = match run.planner().table(&target.name).map_err(DfOlapError::from) {
        Ok((_, table)) => table,
        Err(DfOlapError::TableNotFound(_)) if statement.if_exists => return Ok(Effect::default()),
        Err(error) => return Err(error),
    };
    Ok(Effect {
        change: ChangeSet {
            actions: vec![Action::Truncate { id: table.id }],
        },
        rows: table.rows,
        returning: None,
    })
}

/// The action that adds gathered rows to a table; none where there are no rows.
pub(crate) async fn append(
    run: &Run<'_>,
    table: &Table,
    rows: Gathered,
) -> Result<Option<Action>, DfOlapError> {
    if rows.batches.is_empty() {
        return Ok(None);
    }
    let batches = stream::iter(rows.batches.into_iter().map(Ok)).boxed();
    let fragments = run.store.write(&table.definition, batches).await?;
    Ok(Some(Action::Append {
        id: table.id,
        definition: Arc::clone(&table.definition),
        fragments,
    }))
}

/// The rows of RETURNING: its expressions over the rows that the statement made or removed.
pub(crate) async fn returning(
    run: &Run<'_>,
    target: &Target,
    rows: Vec<RecordBatch>,
    items: &[ast::SelectItem],
) -> Result<Vec<RecordBatch>, DfOlapError> {
    let plan = {
        let planner = run
            .planner()
            .with_rows(&target.table.definition.schema, rows)?;
        let from = target.factor(vec![quoted(ROWS)]);
        planner.query(select(&None, items.to_vec(), vec![from], None)?)?
    };
    let mut stream = run.stream(plan).await?;
    let schema = stream.schema();
    let mut gathered = Gathered::new(run.runtime());
    while let Some(batch) = stream.next().await {
        gathered.push(batch?)?;
    }
    if gathered.batches.is_empty() {
        return Ok(vec![RecordBatch::new_empty(schema)]);
    }
    Ok(gathered.batches)
}

/// The table that a statement writes, under the name that the statement calls it.
pub(crate) struct Target {
    pub name: String,
    pub table: Arc<Table>,
    pub alias: String,
}

impl Target {
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

    fn factor(&self, name: Vec<ast::Ident>) -> ast::TableWithJoins {
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

    fn item(&self, name: &str) -> ast::SelectItem {
        ast::SelectItem::ExprWithAlias {
            expr: self.column(name),
            alias: quoted(name),
        }
    }

    fn columns(&self) -> impl Iterator<Item = ast::SelectItem> + '_ {
        let columns = self.table.definition.columns.iter();
        columns.map(|column| self.item(column.field.name()))
    }

    /// Notes the rows of a batch, addressed by its first column, as taken; a row that was taken before is an error.
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
    let mut parts = Vec::new();
    for part in &name.0 {
        match part.as_ident() {
            Some(ident) => parts.push(planner.normalize(ident)),
            None => return Err(unsupported(&format!("assigning to '{name}'")).into()),
        }
    }
    let column = parts.pop().unwrap_or_default();
    if let Some(qualifier) = parts.last()
        && *qualifier != target.alias
        && *qualifier != target.name
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

/// Fails in the words that DataFusion uses where the table has no such column.
pub(crate) fn known_column(definition: &TableDefinition, name: &str) -> Result<()> {
    if definition.column(name).is_some() {
        return Ok(());
    }
    let schema = DFSchema::try_from(Arc::clone(&definition.schema))?;
    Err(datafusion::common::unqualified_field_not_found(
        name, &schema,
    ))
}

/// True for the keyword DEFAULT where a value stands.
pub(crate) fn default_keyword(value: &ast::Expr) -> bool {
    matches!(value, ast::Expr::Identifier(ident)
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// The DEFAULT of a column as SQL; NULL where it has none.
pub(crate) fn default_expr(definition: &TableDefinition, column: &str) -> Result<ast::Expr> {
    match definition.column(column).and_then(|c| c.default.as_deref()) {
        Some(text) => Ok(Parser::new(&GenericDialect)
            .try_with_sql(text)?
            .parse_expr()?),
        None => Ok(ast::Expr::value(ast::Value::Null)),
    }
}

/// Casts the columns of `plan` from `first` on to those of the table; what cannot be cast is an error when it is met.
pub(crate) fn cast_to_columns(
    plan: LogicalPlan,
    definition: &TableDefinition,
    first: usize,
) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    let exprs = schema
        .columns()
        .into_iter()
        .enumerate()
        .map(|(index, column)| {
            let name = column.name.clone();
            let expr = Expr::Column(column);
            match index.checked_sub(first) {
                None => Ok(expr),
                Some(index) => {
                    let data_type = definition.columns[index].field.data_type();
                    Ok(expr.cast_to(data_type, &schema)?.alias(name))
                }
            }
        })
        .collect::<Result<Vec<_>>>()?;
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}

pub(crate) fn quoted(name: &str) -> ast::Ident {
    ast::Ident::with_quote('"', name)
}

pub(crate) fn refuse(what: &str, present: bool) -> Result<(), DfOlapError> {
    if present {
        Err(unsupported(what))
    } else {
        Ok(())
    }
}

/// A SELECT with everything that a SELECT may have left out.
static TEMPLATE: LazyLock<Box<ast::Select>> = LazyLock::new(|| {
    let parsed = Parser::parse_sql(&GenericDialect, "SELECT a FROM b");
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
