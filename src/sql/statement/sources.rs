//! External tables and files, where the builder allows them: `FROM 'path'`, CREATE EXTERNAL TABLE, INSERT INTO an
//! external table.
//!
//! Neither is part of a snapshot: an external table belongs to the engine's session and ends with the session.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::listing::{
    ListingTable, ListingTableConfig, ListingTableConfigExt, ListingTableUrl,
};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::{CopyToSource, Statement as DFStatement};
use datafusion::sql::sqlparser::ast;
use futures::TryStreamExt;

use super::{Statement, Write};
use crate::error::{DfOlapError, refuse, unsupported};
use crate::sql::ddl::column::check_name;
use crate::sql::execution::Run;
use crate::sql::planner::TABLE_AT;
use crate::sql::planner::names::looks_like_a_file;

/// A table made by CREATE EXTERNAL TABLE, and how to treat an existing table of the same name.
pub(crate) struct Created {
    pub name: String,
    pub table: Arc<dyn TableProvider>,
    pub or_replace: bool,
    pub if_not_exists: bool,
}

impl Run {
    /// Opens the files and the earlier versions of tables that a statement reads.
    pub async fn open(&mut self, statement: &Statement) -> Result<(), DfOlapError> {
        let mut names = Names::default();
        names.statement(statement);
        self.open_named(names).await
    }

    /// Like [`Self::open`], for a statement that writes.
    pub async fn open_for(&mut self, write: &Write) -> Result<(), DfOlapError> {
        let mut names = Names::default();
        names.write(write);
        self.open_named(names).await
    }

    async fn open_named(&mut self, names: Names) -> Result<(), DfOlapError> {
        for call in names.past {
            self.open_past(&call).await?;
        }
        if !self.limits().reads {
            return Ok(());
        }
        for name in names.tables {
            if !looks_like_a_file(&name) || self.context.snapshot.relation(&name).is_some() {
                continue;
            }
            let state = self.state();
            let url = ListingTableUrl::parse(&name)?;
            let store = state.runtime_env().object_store(&url)?;
            let first = match url.list_all_files(state.as_ref(), store.as_ref(), "").await {
                Ok(mut files) => files.try_next().await,
                Err(error) => Err(error),
            };
            let is_missing = match &first {
                Ok(first) => first.is_none(),
                Err(error) => is_not_found(error),
            };
            // The name may be that of a table that the statement creates.
            if is_missing {
                continue;
            }
            let config = ListingTableConfig::new(url)
                .infer_options(state.as_ref())
                .await?;
            let config = config
                .infer_partitions_from_path(state.as_ref())
                .await?
                .infer_schema(state.as_ref())
                .await?;
            Arc::make_mut(&mut self.context)
                .externals
                .insert(name, Arc::new(ListingTable::try_new(config)?));
        }
        Ok(())
    }

    /// Makes the table of a CREATE EXTERNAL TABLE.
    pub async fn create_external(&self, statement: DFStatement) -> Result<Created, DfOlapError> {
        let plan = self.planner().statement(statement)?;
        let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(create)) = plan else {
            return Err(unsupported("this form of CREATE EXTERNAL TABLE"));
        };
        let name = create.name.table().to_string();
        check_name("table", &name)?;
        if self.context.snapshot.relation(&name).is_some() {
            return Err(DfOlapError::Invalid(format!("'{name}' already exists")));
        }
        let state = self.state();
        let kind = create.file_type.to_uppercase();
        let factory = state.table_factories().get(&kind).ok_or_else(|| {
            DfOlapError::Unsupported(format!(
                "CREATE EXTERNAL TABLE STORED AS {kind} is not supported"
            ))
        })?;
        Ok(Created {
            table: factory.create(state.as_ref(), &create).await?,
            or_replace: create.or_replace,
            if_not_exists: create.if_not_exists,
            name,
        })
    }

    /// Whether a statement is an INSERT into an external table.
    pub fn inserts_into_external(&self, write: &Write) -> bool {
        match write {
            Write::Insert(_, insert) => match &insert.table {
                ast::TableObject::TableName(name) => {
                    let name = self.planner().table_name(name);
                    name.is_ok_and(|name| self.is_external(&name))
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// The plan of an INSERT into an external table; `None` for any other statement.
    ///
    /// DataFusion adds files to the table's folder. These files are part of no version of the database.
    pub fn external_insert(&self, write: &Write) -> Result<Option<LogicalPlan>, DfOlapError> {
        if !self.inserts_into_external(write) {
            return Ok(None);
        }
        if !self.limits().writes {
            return Err(DfOlapError::Denied(format!(
                "INSERT INTO {} writes files outside the database and is not allowed here",
                write.target()
            )));
        }
        let (with, mut insert) = match write {
            Write::Insert(with, insert) => (with.clone(), insert.clone()),
            _ => return Ok(None),
        };
        refuse(
            "RETURNING on an INSERT into an external table",
            insert.returning.is_some(),
        )?;
        refuse(
            "ON CONFLICT on an INSERT into an external table",
            insert.on.is_some() || insert.or.is_some(),
        )?;
        let Some(source) = insert.source.as_mut() else {
            return Err(unsupported("DEFAULT VALUES for an external table"));
        };
        if with.is_some() {
            refuse("WITH before and within an INSERT", source.with.is_some())?;
            source.with = with;
        }
        let insert = Box::new(ast::Statement::Insert(*insert));
        let plan = self.planner().statement(DFStatement::Statement(insert))?;
        Ok(Some(plan))
    }

    fn is_external(&self, name: &str) -> bool {
        self.context.snapshot.relation(name).is_none() && self.context.externals.contains_key(name)
    }

    /// The external tables that a DROP TABLE names; an error if the DROP TABLE names other tables too.
    pub fn dropped_externals(&self, write: &Write) -> Result<Vec<String>, DfOlapError> {
        let Write::Ddl(statement) = write else {
            return Ok(Vec::new());
        };
        let ast::Statement::Drop {
            object_type: ast::ObjectType::Table,
            names,
            ..
        } = statement.as_ref()
        else {
            return Ok(Vec::new());
        };
        let planner = self.planner();
        let names = names.iter().map(|name| planner.table_name(name));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let (externals, others): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.is_external(name));
        match (externals.as_slice(), others.as_slice()) {
            ([_, ..], [other, ..]) => Err(DfOlapError::Invalid(format!(
                "{other} is not an external table; drop it in a statement of its own"
            ))),
            _ => Ok(externals),
        }
    }
}

/// Whether an error says that an object store does not have the requested object.
fn is_not_found(error: &DataFusionError) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(object_store::Error::NotFound { .. }) = error.downcast_ref() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The table names and [`TABLE_AT`] calls of a statement.
#[derive(Default)]
struct Names {
    /// Unqualified table names, as written.
    tables: BTreeSet<String>,
    /// Calls of [`TABLE_AT`].
    past: Vec<ast::TableFunctionArgs>,
}

impl ast::Visitor for Names {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ast::ObjectName) -> ControlFlow<()> {
        if let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
        {
            self.tables.insert(ident.value.clone());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &ast::TableFactor) -> ControlFlow<()> {
        if let ast::TableFactor::Table {
            name,
            args: Some(args),
            ..
        } = factor
            && let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
            && ident.value.eq_ignore_ascii_case(TABLE_AT)
        {
            self.past.push(args.clone());
        }
        ControlFlow::Continue(())
    }
}

impl Names {
    fn visit(&mut self, node: &impl ast::Visit) {
        let _ = node.visit(self);
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => match query.as_ref() {
                DFStatement::Statement(statement) => self.visit(statement.as_ref()),
                DFStatement::CopyTo(copy) => match &copy.source {
                    CopyToSource::Query(query) => self.visit(query.as_ref()),
                    CopyToSource::Relation(_) => {}
                },
                _ => {}
            },
            Statement::Explain(_, inner) => self.statement(inner),
            Statement::Write(write) => self.write(write),
            Statement::External(_)
            | Statement::Prepare { .. }
            | Statement::Execute { .. }
            | Statement::Deallocate { .. }
            | Statement::Setting(_) => {}
        }
    }

    fn write(&mut self, write: &Write) {
        let with = match write {
            Write::Insert(with, statement) => {
                self.visit(statement.as_ref());
                with
            }
            Write::Update(with, statement) => {
                self.visit(statement.as_ref());
                with
            }
            Write::Delete(with, statement) => {
                self.visit(statement.as_ref());
                with
            }
            Write::Merge(with, statement) => {
                self.visit(statement.as_ref());
                with
            }
            Write::Truncate(_) => return,
            Write::Ddl(statement) => return self.visit(statement.as_ref()),
        };
        self.visit(with);
    }
}
