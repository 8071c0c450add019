//! PREPARE and EXECUTE.

use arrow::datatypes::FieldRef;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::sql::sqlparser::ast;

use super::Statement;
use crate::error::DfOlapError;
use crate::sql::execution::Run;
use crate::sql::planner::hide_row_address;

/// A statement kept under a name.
#[derive(Debug)]
pub(crate) struct Prepared {
    types: Vec<FieldRef>,
    pub statement: Statement,
    /// Whether the statement's text is long, so that its tree may be deep.
    pub is_long: bool,
}

impl Prepared {
    /// Prepares `statement`. Unknown tables and columns are reported now.
    pub fn new(
        run: &Run,
        types: Vec<ast::DataType>,
        statement: Statement,
        is_long: bool,
    ) -> Result<Self, DfOlapError> {
        let planner = run.planner();
        let types = types
            .iter()
            .map(|data_type| planner.field(data_type))
            .collect::<Result<Vec<_>, _>>()?;
        let planned = match &statement {
            Statement::Query(query) => run
                .planner()
                .with_param_types(&types)
                .statement(query.as_ref().clone())
                .map(|_| ()),
            Statement::Write(write) => write
                .plan(&run.planner().with_param_types(&types))
                .map(|_| ()),
            _ => Ok(()),
        };
        // Types may be unknown before EXECUTE, so only unknown tables and columns are errors now.
        match planned.map_err(|error| DfOlapError::from(hide_row_address(error))) {
            Err(error @ DfOlapError::TableNotFound(_)) => return Err(error),
            Err(error) if error.is_unknown_column() => return Err(error),
            _ => {}
        }
        Ok(Self {
            types,
            statement,
            is_long,
        })
    }

    /// The values of EXECUTE's arguments.
    pub fn bind(&self, run: &Run, args: &[ast::Expr]) -> Result<ParamValues, DfOlapError> {
        if !self.types.is_empty() && self.types.len() != args.len() {
            return Err(DfOlapError::Invalid(format!(
                "the prepared statement takes {} parameters, {} were given",
                self.types.len(),
                args.len()
            )));
        }
        let values = args
            .iter()
            .enumerate()
            .map(|(index, arg)| {
                let value = run.constant(arg)?;
                match self.types.get(index) {
                    Some(field) => Ok(value.cast_to(field.data_type())?),
                    None => Ok(value),
                }
            })
            .collect::<Result<Vec<ScalarValue>, DfOlapError>>()?;
        Ok(ParamValues::from(values))
    }
}
