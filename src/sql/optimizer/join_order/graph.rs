//! The join graph: takes a tree of joins apart into relations and conditions, and builds a tree in another order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, JoinConstraint, JoinType, NullEquality, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, Filter, Join, LogicalPlan, Operator, Projection, binary_expr,
};

use super::cardinality::{distinct, estimate};
use super::movable::is_joined;
use super::search::{Classes, Edge, MAX_RELATIONS, Problem, Relation, Role, Set, Tree};

/// An input of the join graph.
pub(super) struct Input {
    pub plan: Arc<LogicalPlan>,
    /// For an input that only filters other inputs: the semi or anti join that it belongs to.
    filters: Option<Filtering>,
}

/// A semi or anti join without the side whose rows are kept.
struct Filtering {
    /// The keys: an expression of the kept side, and one of the input.
    on: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
    is_anti: bool,
    null_aware: bool,
}

/// A condition on several inputs.
enum Condition {
    Equal(Expr, Expr),
    Other(Expr),
}

impl Condition {
    fn into_expr(self) -> Expr {
        match self {
            Self::Equal(left, right) => binary_expr(left, Operator::Eq, right),
            Self::Other(expr) => expr,
        }
    }
}

pub(super) struct Graph {
    pub inputs: Vec<Input>,
    conditions: Vec<Condition>,
    /// The join order as written in the query.
    pub written: Tree,
    /// Columns known to be equal in the part that is built so far.
    equal: Classes<Expr>,
}

impl Graph {
    /// Takes a tree of at least two joins apart; `None` for any other plan.
    pub fn of(plan: &Arc<LogicalPlan>) -> Option<Self> {
        let mut graph = Self {
            inputs: Vec::new(),
            conditions: Vec::new(),
            written: Tree::Leaf(0),
            equal: Classes::default(),
        };
        if !is_joined(plan) {
            return None;
        }
        graph.written = graph.take(plan);
        if !(3..=MAX_RELATIONS).contains(&graph.inputs.len()) {
            return None;
        }
        graph.infer();
        graph.has_clear_columns().then_some(graph)
    }

    fn add(&mut self, plan: &Arc<LogicalPlan>, filters: Option<Filtering>) -> Tree {
        self.inputs.push(Input {
            plan: Arc::clone(plan),
            filters,
        });
        Tree::Leaf(self.inputs.len() - 1)
    }

    fn take(&mut self, plan: &Arc<LogicalPlan>) -> Tree {
        if !is_joined(plan) {
            return self.add(plan, None);
        }
        match plan.as_ref() {
            LogicalPlan::Filter(filter) => {
                let tree = self.take(&filter.input);
                let conditions = split_conjunction_owned(filter.predicate.clone());
                self.conditions
                    .extend(conditions.into_iter().map(Condition::Other));
                tree
            }
            LogicalPlan::Projection(projection) => self.take(&projection.input),
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
                let left = self.take(&join.left);
                let right = self.take(&join.right);
                let equal = join.on.iter().cloned();
                self.conditions
                    .extend(equal.map(|(l, r)| Condition::Equal(l, r)));
                let others = join.filter.clone().map(split_conjunction_owned);
                self.conditions
                    .extend(others.into_iter().flatten().map(Condition::Other));
                Tree::Join(Box::new(left), Box::new(right))
            }
            LogicalPlan::Join(join) => {
                let is_left = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti);
                let (kept, filtering) = match is_left {
                    true => (&join.left, &join.right),
                    false => (&join.right, &join.left),
                };
                let on = join.on.iter().cloned();
                let on = on.map(|(left, right)| {
                    if is_left {
                        (left, right)
                    } else {
                        (right, left)
                    }
                });
                let filters = Filtering {
                    on: on.collect(),
                    filter: join.filter.clone(),
                    is_anti: matches!(join.join_type, JoinType::LeftAnti | JoinType::RightAnti),
                    null_aware: join.null_aware,
                };
                let left = self.take(kept);
                let right = self.add(filtering, Some(filters));
                Tree::Join(Box::new(left), Box::new(right))
            }
            _ => self.add(plan, None),
        }
    }

    /// Adds implied equalities: with a = b and b = c, a can be joined to c.
    fn infer(&mut self) {
        let mut classes: Vec<Vec<Expr>> = Vec::new();
        for condition in &self.conditions {
            let Condition::Equal(left @ Expr::Column(_), right @ Expr::Column(_)) = condition
            else {
                continue;
            };
            let (equal, others) = classes
                .into_iter()
                .partition(|class| class.contains(left) || class.contains(right));
            classes = others;
            let mut class: Vec<Expr> = equal.into_iter().flatten().collect();
            for side in [left, right] {
                if !class.contains(side) {
                    class.push(side.clone());
                }
            }
            classes.push(class);
        }
        let said: HashSet<(&Expr, &Expr)> = self
            .conditions
            .iter()
            .filter_map(|condition| match condition {
                Condition::Equal(left, right) => Some([(left, right), (right, left)]),
                Condition::Other(_) => None,
            })
            .flatten()
            .collect();
        let mut unsaid = Vec::new();
        for class in &classes {
            for (index, one) in class.iter().enumerate() {
                let others = class[index + 1..].iter();
                let others = others.filter(|other| !said.contains(&(one, other)));
                unsaid.extend(others.map(|other| Condition::Equal(one.clone(), other.clone())));
            }
        }
        self.conditions.extend(unsaid);
    }

    /// Whether each column belongs to exactly one input: a node between the joins may have hidden another column of
    /// its name.
    fn has_clear_columns(&self) -> bool {
        let mut joined = self.inputs.iter().filter(|input| input.filters.is_none());
        let all = joined.try_fold(DFSchema::empty(), |all, input| {
            all.join(input.plan.schema())
        });
        if all.is_err() {
            return false;
        }
        let conditions = self.conditions.iter().all(|condition| match condition {
            Condition::Equal(left, right) => {
                self.reads(left, None).is_some() && self.reads(right, None).is_some()
            }
            Condition::Other(expr) => self.reads(expr, None).is_some(),
        });
        conditions && (0..self.inputs.len()).all(|index| self.needs(index).is_some())
    }

    /// The inputs whose columns an expression reads, apart from columns of `own`; `None` where a column is unknown or
    /// belongs to several inputs.
    fn reads(&self, expr: &Expr, own: Option<&LogicalPlan>) -> Option<Set> {
        let mut set = 0;
        for column in expr.column_refs() {
            let is_own =
                own.is_some_and(|own| own.schema().maybe_index_of_column(column).is_some());
            let mut found = self.having(column);
            match (is_own, found.next(), found.next()) {
                (true, None, _) => {}
                (false, Some(index), None) => set |= 1 << index,
                _ => return None,
            }
        }
        Some(set)
    }

    /// The joined inputs that output a column of that name.
    fn having(&self, column: &Column) -> impl Iterator<Item = usize> {
        let inputs = self.inputs.iter().enumerate();
        inputs
            .filter(move |(_, input)| {
                input.filters.is_none()
                    && input.plan.schema().maybe_index_of_column(column).is_some()
            })
            .map(|(index, _)| index)
    }

    /// The relations that must be joined before a filtering input.
    fn needs(&self, index: usize) -> Option<Set> {
        let input = &self.inputs[index];
        let Some(filters) = &input.filters else {
            return Some(0);
        };
        let mut needs = 0;
        for (outer, _) in &filters.on {
            needs |= self.reads(outer, None)?;
        }
        if let Some(filter) = &filters.filter {
            needs |= self.reads(filter, Some(&input.plan))?;
        }
        // A condition without columns of other inputs applies to all joined rows.
        Some(if needs == 0 { self.all_joined() } else { needs })
    }

    fn all_joined(&self) -> Set {
        let inputs = self.inputs.iter().enumerate();
        inputs
            .filter(|(_, input)| input.filters.is_none())
            .fold(0, |set, (index, _)| set | 1 << index)
    }

    /// The search problem with its estimates; `None` where an input has no statistics.
    pub fn problem(&self) -> Option<Problem> {
        let relations = (0..self.inputs.len()).map(|index| {
            let input = &self.inputs[index];
            let estimate = estimate(&input.plan)?;
            Some(Relation {
                rows: estimate.rows.max(1.0),
                all_rows: estimate.all_rows.max(1.0),
                kind: match &input.filters {
                    None => Role::Joined,
                    Some(filters) => Role::Filters {
                        needs: self.needs(index)?,
                        kept: self.kept(filters, &input.plan, estimate.rows),
                    },
                },
            })
        });
        let relations = relations.collect::<Option<Vec<_>>>()?;
        // Estimate a column once, even if several conditions use it.
        let mut known: HashMap<(&Expr, Set), f64> = HashMap::new();
        let mut values = |expr, set| {
            *known
                .entry((expr, set))
                .or_insert_with(|| self.values(expr, set))
        };
        let mut columns: Vec<&Expr> = Vec::new();
        let mut edges = Vec::new();
        let mut conditions = Vec::new();
        for condition in &self.conditions {
            match condition {
                Condition::Equal(left, right) => {
                    let (l, r) = (self.reads(left, None)?, self.reads(right, None)?);
                    if l == 0 || r == 0 || l & r != 0 {
                        conditions.push(l | r);
                        continue;
                    }
                    let mut number = |expr| match columns.iter().position(|known| *known == expr) {
                        Some(number) => number,
                        None => {
                            columns.push(expr);
                            columns.len() - 1
                        }
                    };
                    let plain = |expr: &Expr| matches!(expr, Expr::Column(_));
                    edges.push(Edge {
                        left: l,
                        right: r,
                        columns: (plain(left) && plain(right))
                            .then(|| (number(left), number(right))),
                        domain: values(left, l).min(values(right, r)),
                    });
                }
                Condition::Other(expr) => conditions.push(self.reads(expr, None)?),
            }
        }
        Some(Problem {
            relations,
            edges,
            conditions,
        })
    }

    /// The estimated maximum of distinct values of an expression over the inputs of `set`, by the first input alone.
    fn values(&self, expr: &Expr, set: Set) -> f64 {
        let plan = &self.inputs[set.trailing_zeros() as usize].plan;
        values(expr, plan)
    }

    /// The share of rows that a semi or anti join keeps if its filtering input `plan` has `rows` rows.
    fn kept(&self, filters: &Filtering, plan: &LogicalPlan, rows: f64) -> f64 {
        let found = filters.on.iter().map(|(outer, inner)| {
            let outer = match self.reads(outer, None) {
                Some(set) if set != 0 => self.values(outer, set),
                _ => return 1.0,
            };
            (values(inner, plan).min(rows) / outer).min(1.0)
        });
        let found = found.fold(1.0, f64::min);
        match filters.is_anti {
            true => (1.0 - found).max(0.1),
            false => found,
        }
    }

    /// The inputs joined in the order of `tree`, with the columns of `schema_of`.
    pub fn build(
        mut self,
        tree: &Tree,
        problem: &Problem,
        schema_of: &LogicalPlan,
    ) -> Result<LogicalPlan> {
        let joined = self.joined(tree, problem)?;
        let columns = schema_of.schema().columns();
        if joined.schema().columns() == columns {
            return Ok(Arc::unwrap_or_clone(joined));
        }
        let columns = columns.into_iter().map(Expr::Column).collect();
        Ok(LogicalPlan::Projection(Projection::try_new(
            columns, joined,
        )?))
    }

    /// Removes and returns the conditions that can be applied once all inputs of `here` are joined, except for those
    /// implied by earlier conditions.
    fn due(&mut self, here: Set) -> Vec<Condition> {
        let all = std::mem::take(&mut self.conditions);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|condition| {
            let set = match condition {
                Condition::Equal(left, right) => self
                    .reads(left, None)
                    .zip(self.reads(right, None))
                    .map(|(l, r)| l | r),
                Condition::Other(expr) => self.reads(expr, None),
            };
            set.is_some_and(|set| set & !here == 0)
        });
        self.conditions = later;
        let mut said = Vec::new();
        for condition in due {
            let is_new = match &condition {
                Condition::Equal(left @ Expr::Column(_), right @ Expr::Column(_)) => {
                    self.equal.unite(left, right)
                }
                _ => true,
            };
            if is_new {
                said.push(condition);
            }
        }
        said
    }

    fn joined(&mut self, tree: &Tree, problem: &Problem) -> Result<Arc<LogicalPlan>> {
        let (left, right) = match tree {
            Tree::Leaf(index) => {
                let plan = Arc::clone(&self.inputs[*index].plan);
                let due = self.due(1 << index);
                return match conjunction(due.into_iter().map(Condition::into_expr)) {
                    Some(condition) if self.inputs[*index].filters.is_none() => Ok(Arc::new(
                        LogicalPlan::Filter(Filter::try_new(condition, plan)?),
                    )),
                    _ => Ok(plan),
                };
            }
            Tree::Join(left, right) => (left, right),
        };
        for (kept, filtering) in [(left, right), (right, left)] {
            if let Tree::Leaf(index) = filtering.as_ref()
                && self.inputs[*index].filters.is_some()
            {
                let kept_plan = self.joined(kept, problem)?;
                let is_smaller = problem.relations[*index].rows < problem.rows(kept.set());
                return self.filtered(kept_plan, *index, is_smaller);
            }
        }
        let (small, large) = match problem.rows(left.set()) <= problem.rows(right.set()) {
            true => (left, right),
            false => (right, left),
        };
        let (small_plan, large_plan) = (self.joined(small, problem)?, self.joined(large, problem)?);
        let (mut on, mut others) = (Vec::new(), Vec::new());
        for condition in self.due(tree.set()) {
            let (small, large) = (small.set(), large.set());
            match condition {
                Condition::Equal(one, other) => {
                    let read = self.reads(&one, None).zip(self.reads(&other, None));
                    match read {
                        Some((l, r)) if l != 0 && r != 0 && l & !small == 0 && r & !large == 0 => {
                            on.push((one, other));
                        }
                        Some((l, r)) if l != 0 && r != 0 && l & !large == 0 && r & !small == 0 => {
                            on.push((other, one));
                        }
                        _ => others.push(Condition::Equal(one, other).into_expr()),
                    }
                }
                Condition::Other(expr) => others.push(expr),
            }
        }
        Ok(Arc::new(LogicalPlan::Join(Join::try_new(
            small_plan,
            large_plan,
            on,
            conjunction(others),
            JoinType::Inner,
            JoinConstraint::On,
            NullEquality::NullEqualsNothing,
            false,
        )?)))
    }

    /// The semi or anti join of `kept` with the input at `index`; the smaller side goes left where possible, since
    /// the left side is the build side.
    fn filtered(
        &mut self,
        kept: Arc<LogicalPlan>,
        index: usize,
        is_smaller: bool,
    ) -> Result<Arc<LogicalPlan>> {
        let input = &mut self.inputs[index];
        let plan = Arc::clone(&input.plan);
        let Some(filters) = &input.filters else {
            return Ok(kept);
        };
        let turn = is_smaller && !filters.null_aware && !filters.on.is_empty();
        let on = filters.on.iter().cloned();
        let on = on.map(|(outer, inner)| if turn { (inner, outer) } else { (outer, inner) });
        let (left, right) = if turn { (plan, kept) } else { (kept, plan) };
        Ok(Arc::new(LogicalPlan::Join(Join::try_new(
            left,
            right,
            on.collect(),
            filters.filter.clone(),
            match (filters.is_anti, turn) {
                (false, false) => JoinType::LeftSemi,
                (false, true) => JoinType::RightSemi,
                (true, false) => JoinType::LeftAnti,
                (true, true) => JoinType::RightAnti,
            },
            JoinConstraint::On,
            NullEquality::NullEqualsNothing,
            filters.null_aware,
        )?)))
    }
}

/// The estimated maximum of distinct values of an expression over the columns of `plan`.
fn values(expr: &Expr, plan: &LogicalPlan) -> f64 {
    let known = match expr {
        Expr::Column(column) => distinct(plan, column),
        Expr::Cast(cast) => return values(&cast.expr, plan),
        _ => None,
    };
    let all = || estimate(plan).map_or(f64::INFINITY, |estimate| estimate.all_rows);
    known.unwrap_or_else(all).max(1.0)
}
