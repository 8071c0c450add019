//! Decorrelating joins: where both inputs have the outer columns, these are equated.

use std::sync::Arc;

use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::logical_expr::utils::{conjunction, merge_schema};
use datafusion::logical_expr::{Filter, Join, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{coalesce, lit};

use super::{Push, Pushed, columns};
use crate::sql::optimizer::null_equal_keys::is_not_distinct;

impl Push<'_> {
    pub(super) fn join(&self, join: &Join) -> Result<Option<Pushed>> {
        let mut conditions = Vec::new();
        for (left, right) in &join.on {
            conditions.push(match join.null_equality {
                NullEquality::NullEqualsNothing => left.clone().eq(right.clone()),
                NullEquality::NullEqualsNull => is_not_distinct(left.clone(), right.clone()),
            });
        }
        conditions.extend(join.filter.clone());
        let schema = &join.schema;
        let asks = (self.asks(&join.left)?, self.asks(&join.right)?);
        if join.join_type == JoinType::Inner && asks == (false, false) {
            // Only the join condition refers to outer columns.
            let both = LogicalPlanBuilder::from(join.left.as_ref().clone())
                .cross_join(join.right.as_ref().clone())?
                .build()?;
            let condition = conjunction(conditions).unwrap_or_else(|| lit(true));
            return self.filter(&Filter::try_new(condition, Arc::new(both))?);
        }
        use JoinType::{
            Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi,
        };
        let both = (true, true);
        let (of_left, of_right) = match join.join_type {
            Inner => asks,
            Left | LeftSemi | LeftAnti | LeftMark => (true, asks.1),
            Right | RightSemi | RightAnti | RightMark => (asks.0, true),
            Full => both,
        };
        let side = |plan: &LogicalPlan, pushed: bool| match pushed {
            true => self.rows(plan),
            false => Ok(Pushed::new(plan.clone(), Vec::new())),
        };
        let (Some(left), Some(right)) = (side(&join.left, of_left)?, side(&join.right, of_right)?)
        else {
            return Ok(None);
        };
        let of_rows = match join.join_type {
            Right | RightSemi | RightAnti | RightMark => &right.outer,
            _ if of_left => &left.outer,
            _ => &right.outer,
        };
        let around = merge_schema(&[&join.left, &join.right]);
        let mut conditions = conditions
            .into_iter()
            .map(|condition| self.with(condition, of_rows, &around))
            .collect::<Result<Vec<_>>>()?;
        if (of_left, of_right) == both {
            let pairs = columns(&left.outer).zip(columns(&right.outer));
            conditions.extend(pairs.map(|(left, right)| is_not_distinct(left, right)));
        }
        let mut outer = of_rows.clone();
        let mut plan = LogicalPlanBuilder::from(left.plan)
            .join_on(right.plan, join.join_type, conditions)?
            .build()?;
        let mut all: Vec<_> = columns(&schema.columns()).collect();
        if join.join_type == Full {
            let pairs = columns(&left.outer).zip(columns(&right.outer));
            outer = Vec::new();
            for (left, right) in pairs {
                let name = self.names.next("outer");
                all.push(coalesce(vec![left, right]).alias(&name));
                outer.push(Column::new_unqualified(name));
            }
        } else {
            all.extend(columns(&outer));
        }
        if all.len() != plan.schema().fields().len() || join.join_type == Full {
            plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        }
        Ok(Pushed::new(plan, outer))
    }
}
