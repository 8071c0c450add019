//! Decorrelating filters: a condition `column = outer` binds the outer column, so that its domain need not be joined.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{lit, try_cast};

use super::super::references::{equality, has_subquery, is_same_in};
use super::{Push, Pushed, columns};

impl Push<'_> {
    pub(super) fn filter(&self, filter: &Filter) -> Result<Option<Pushed>> {
        if let LogicalPlan::Filter(below) = filter.input.as_ref() {
            let both = below.predicate.clone().and(filter.predicate.clone());
            return self.filter(&Filter::try_new(both, Arc::clone(&below.input))?);
        }
        if !self.asks(&filter.input)?
            && let Some(found) = self.equalities(filter)?
        {
            return Ok(Some(found));
        }
        let Some(input) = self.rows(&filter.input)? else {
            return Ok(None);
        };
        let predicate = self.with(
            filter.predicate.clone(),
            &input.outer,
            filter.input.schema(),
        )?;
        let plan = LogicalPlanBuilder::from(input.plan)
            .filter(predicate)?
            .build()?;
        Ok(Pushed::new(plan, input.outer))
    }

    /// A filter that equates each outer column with an inner expression: the values of the expression replace the
    /// domain.
    fn equalities(&self, filter: &Filter) -> Result<Option<Pushed>> {
        let schema = filter.input.schema();
        let conjuncts = split_conjunction(&filter.predicate);
        for conjunct in &conjuncts {
            if has_subquery(conjunct)? && self.asks_in(conjunct, schema)? {
                return Ok(None);
            }
        }
        let mut values: Vec<Expr> = Vec::new();
        let mut used = Vec::new();
        for (field, column) in self.references {
            let value = |expr: &Expr| {
                let (left, right) = equality(expr)?;
                let is_it = |side: &Expr| matches!(side, Expr::OuterReferenceColumn(_, asked) if asked == column);
                let value = match (is_it(left), is_it(right)) {
                    (true, false) => right,
                    (false, true) => left,
                    _ => return None,
                };
                let plain = !self.asks_in(value, schema).ok()?
                    && !has_subquery(value).ok()?
                    && !value.is_volatile();
                plain.then(|| as_type(value, field.data_type(), schema))?
            };
            let mut found = conjuncts.iter().enumerate();
            let Some((at, value)) =
                found.find_map(|(at, conjunct)| value(conjunct).map(|value| (at, value)))
            else {
                return Ok(None);
            };
            used.push(at);
            values.push(value);
        }
        let mut conditions = Vec::new();
        for (at, conjunct) in conjuncts.into_iter().enumerate() {
            if !used.contains(&at) {
                conditions.push(self.replaced(conjunct.clone(), &values, schema)?);
            }
        }
        conditions.extend(values.iter().map(|value| value.clone().is_not_null()));
        let mut all: Vec<_> = columns(&schema.columns()).collect();
        let mut outer = Vec::new();
        for value in values {
            let name = self.names.next("outer");
            all.push(value.alias(&name));
            outer.push(Column::new_unqualified(name));
        }
        let plan = LogicalPlanBuilder::from(filter.input.as_ref().clone())
            .filter(conjunction(conditions).unwrap_or_else(|| lit(true)))?
            .project(all)?
            .build()?;
        Ok(Pushed::new(plan, outer))
    }
}

/// `value` cast to an outer column's type; `None` where the cast might make unequal values equal.
fn as_type(value: &Expr, data_type: &DataType, schema: &DFSchema) -> Option<Expr> {
    let own = value.get_type(schema).ok()?;
    if own == *data_type {
        return Some(value.clone());
    }
    is_same_in(&own, data_type).then(|| try_cast(value.clone(), data_type.clone()))
}
