//! Searches for the cheapest join order by a cost model.
//!
//! Up to [`EXACT_RELATIONS`] relations, every order is compared, including bushy trees (dynamic programming over sets
//! of relations, as in Selinger et al., "Access Path Selection in a Relational Database Management System", and
//! Moerkotte and Neumann, "Analysis of Two Existing and One New Dynamic Programming Algorithm"); more relations are
//! joined greedily, cheapest join first (Fegaras, "A New Heuristic for Optimizing Large Queries").

/// A set of relations, one bit for each.
pub(super) type Set = u64;

/// The largest number of relations for which every order is compared.
const EXACT_RELATIONS: usize = 10;
/// The largest number of relations that are ordered at all.
pub(super) const MAX_RELATIONS: usize = 32;
/// The costs of a row that is inserted into a hash table, probes a hash table, or is output.
const BUILD: f64 = 4.0;
const PROBE: f64 = 1.0;
const MADE: f64 = 2.0;
/// The selectivity of a condition without statistics, as in DataFusion's `FilterExec`.
pub(super) const DEFAULT_SELECTIVITY: f64 = 0.2;

pub(super) struct Relation {
    /// Rows after conditions on this relation, which take part in the joins.
    pub rows: f64,
    /// Rows before any condition.
    pub all_rows: f64,
    pub kind: Role,
}

pub(super) enum Role {
    /// Its rows are part of the result.
    Joined,
    /// The filtering side of a semi or anti join, which keeps the share `kept` of the other relations' rows, and can
    /// be joined once the relations `needs` are joined.
    Filters { needs: Set, kept: f64 },
}

/// `left = right`, of disjoint sets.
pub(super) struct Edge {
    pub left: Set,
    pub right: Set,
    /// The numbers of the two columns, where both sides are plain columns.
    pub columns: Option<(usize, usize)>,
    /// The estimated number of distinct values that the two sides have in common.
    pub domain: f64,
}

impl Edge {
    fn all(&self) -> Set {
        self.left | self.right
    }

    pub fn connects(&self, one: Set, other: Set) -> bool {
        let within = |part: Set, whole: Set| part & !whole == 0;
        within(self.left, one) && within(self.right, other)
            || within(self.left, other) && within(self.right, one)
    }
}

pub(super) struct Problem {
    pub relations: Vec<Relation>,
    pub edges: Vec<Edge>,
    /// The relations that each other condition refers to.
    pub conditions: Vec<Set>,
}

/// A join order; leaves are numbers of relations.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Leaf(usize),
    Join(Box<Tree>, Box<Tree>),
}

impl Tree {
    pub fn set(&self) -> Set {
        match self {
            Self::Leaf(relation) => 1 << relation,
            Self::Join(left, right) => left.set() | right.set(),
        }
    }
}

#[derive(Clone)]
struct Candidate {
    set: Set,
    cost: f64,
    rows: f64,
    tree: Tree,
}

impl Problem {
    /// The estimated rows of the join of a set of relations, in any order.
    pub fn rows(&self, set: Set) -> f64 {
        let mut rows = 1.0;
        for (index, relation) in self.relations.iter().enumerate() {
            if set & 1 << index != 0 {
                rows *= match relation.kind {
                    Role::Joined => relation.rows,
                    Role::Filters { kept, .. } => kept,
                };
            }
        }
        // a = b and b = c imply a = c, so a third equality drops no more rows.
        let mut same = Classes::default();
        let mut pairs: Vec<(Set, f64)> = Vec::new();
        for edge in &self.edges {
            let is_inside = edge.all() & !set == 0;
            if !is_inside || edge.columns.is_some_and(|(a, b)| !same.unite(&a, &b)) {
                continue;
            }
            match pairs.iter_mut().find(|(both, _)| *both == edge.all()) {
                Some((_, domain)) => *domain *= edge.domain,
                None => pairs.push((edge.all(), edge.domain)),
            }
        }
        for (both, domain) in pairs {
            rows /= domain.min(self.most_keys(both)).max(1.0);
        }
        for condition in &self.conditions {
            if condition & !set == 0 {
                rows *= DEFAULT_SELECTIVITY;
            }
        }
        rows.max(1.0)
    }

    /// Several columns together have at most as many distinct values as the smaller of the two relations has rows.
    fn most_keys(&self, both: Set) -> f64 {
        if both.count_ones() != 2 {
            return f64::INFINITY;
        }
        let rows = self.members(both).map(|relation| relation.all_rows);
        rows.fold(f64::INFINITY, f64::min)
    }

    fn members(&self, set: Set) -> impl Iterator<Item = &Relation> {
        let all = self.relations.iter().enumerate();
        all.filter(move |(index, _)| set & 1 << index != 0)
            .map(|(_, relation)| relation)
    }

    /// The filtering relation, if the set is exactly that relation.
    fn filtering(&self, set: Set) -> Option<&Relation> {
        let relation = self.relations.get(set.trailing_zeros() as usize)?;
        let is_filtering = matches!(relation.kind, Role::Filters { .. });
        (set.count_ones() == 1 && is_filtering).then_some(relation)
    }

    /// Whether two sets can be joined without a cross product.
    fn are_joinable(&self, one: Set, other: Set) -> bool {
        match (self.filtering(one), self.filtering(other)) {
            (None, None) => self.edges.iter().any(|edge| edge.connects(one, other)),
            (
                None,
                Some(Relation {
                    kind: Role::Filters { needs, .. },
                    ..
                }),
            ) => needs & !one == 0,
            (
                Some(Relation {
                    kind: Role::Filters { needs, .. },
                    ..
                }),
                None,
            ) => needs & !other == 0,
            _ => false,
        }
    }

    fn leaf(&self, index: usize) -> Candidate {
        Candidate {
            set: 1 << index,
            cost: 0.0,
            rows: self.relations[index].rows,
            tree: Tree::Leaf(index),
        }
    }

    fn joined(&self, one: &Candidate, other: &Candidate) -> Candidate {
        let set = one.set | other.set;
        let rows = self.rows(set);
        Candidate {
            set,
            cost: one.cost + other.cost + join_cost(one.rows, other.rows, rows),
            rows,
            tree: Tree::Join(Box::new(one.tree.clone()), Box::new(other.tree.clone())),
        }
    }

    fn priced(&self, tree: &Tree) -> Candidate {
        match tree {
            Tree::Leaf(index) => self.leaf(*index),
            Tree::Join(left, right) => self.joined(&self.priced(left), &self.priced(right)),
        }
    }

    /// The cost of an order, in weighted rows.
    pub fn cost(&self, tree: &Tree) -> f64 {
        self.priced(tree).cost
    }

    /// The cheapest order; `None` where each order needs a cross product.
    pub fn best(&self) -> Option<Tree> {
        match self.relations.len() {
            0 => None,
            few if few <= EXACT_RELATIONS => self.search_exhaustively(),
            many if many <= MAX_RELATIONS => self.search_greedily(),
            _ => None,
        }
    }

    fn search_exhaustively(&self) -> Option<Tree> {
        let count = self.relations.len();
        let mut best: Vec<Option<Step>> = vec![None; 1 << count];
        for (index, relation) in self.relations.iter().enumerate() {
            best[1 << index] = Some(Step {
                cost: 0.0,
                rows: relation.rows,
                left: 0,
            });
        }
        for set in 1..(1 << count) as Set {
            if set.count_ones() < 2 {
                continue;
            }
            let mut found: Option<Step> = None;
            let mut rows = None;
            let mut one = (set - 1) & set;
            while one > set & !one {
                let other = set & !one;
                if let (Some(left), Some(right)) = (&best[one as usize], &best[other as usize])
                    && self.are_joinable(one, other)
                {
                    let rows = *rows.get_or_insert_with(|| self.rows(set));
                    let cost = left.cost + right.cost + join_cost(left.rows, right.rows, rows);
                    if found.as_ref().is_none_or(|found| cost < found.cost) {
                        found = Some(Step {
                            cost,
                            rows,
                            left: one,
                        });
                    }
                }
                one = (one - 1) & set;
            }
            best[set as usize] = found;
        }
        tree_of(&best, (1 << count) - 1)
    }

    fn search_greedily(&self) -> Option<Tree> {
        let mut parts: Vec<_> = (0..self.relations.len()).map(|i| self.leaf(i)).collect();
        while parts.len() > 1 {
            let mut found: Option<(usize, usize, Candidate)> = None;
            for (place, one) in parts.iter().enumerate() {
                for (other_place, other) in parts.iter().enumerate().skip(place + 1) {
                    if !self.are_joinable(one.set, other.set) {
                        continue;
                    }
                    let made = self.joined(one, other);
                    let added = |c: &Candidate, one: &Candidate, other: &Candidate| {
                        c.cost - one.cost - other.cost
                    };
                    let is_better = found.as_ref().is_none_or(|(a, b, best)| {
                        added(&made, one, other) < added(best, &parts[*a], &parts[*b])
                    });
                    if is_better {
                        found = Some((place, other_place, made));
                    }
                }
            }
            let (place, other_place, made) = found?;
            parts.remove(other_place);
            parts[place] = made;
        }
        parts.pop().map(|candidate| candidate.tree)
    }
}

fn join_cost(one: f64, other: f64, made: f64) -> f64 {
    BUILD * one.min(other) + PROBE * one.max(other) + MADE * made
}

/// The cheapest plan of a set: its cost, its rows, and its left input, which is 0 for a single relation.
#[derive(Clone)]
struct Step {
    cost: f64,
    rows: f64,
    left: Set,
}

fn tree_of(best: &[Option<Step>], set: Set) -> Option<Tree> {
    let left = best.get(set as usize)?.as_ref()?.left;
    if left == 0 {
        return Some(Tree::Leaf(set.trailing_zeros() as usize));
    }
    let (left, right) = (tree_of(best, left)?, tree_of(best, set & !left)?);
    Some(Tree::Join(Box::new(left), Box::new(right)))
}

/// Classes of columns that are known to be equal.
pub(super) struct Classes<T>(Vec<(T, T)>);

impl<T> Default for Classes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq + Clone> Classes<T> {
    fn root<'a>(&'a self, column: &'a T) -> &'a T {
        match self.0.iter().find(|(child, _)| child == column) {
            Some((_, parent)) => self.root(parent),
            None => column,
        }
    }

    /// False where the two were already known to be equal.
    pub fn unite(&mut self, one: &T, other: &T) -> bool {
        let (one, other) = (self.root(one), self.root(other));
        let is_new = one != other;
        if is_new {
            let pair = (one.clone(), other.clone());
            self.0.push(pair);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Relations of random sizes, each joined to an earlier relation; the last relation sometimes is a filter.
    fn problem(rng: &mut StdRng, count: usize) -> Problem {
        let mut relations = Vec::new();
        let mut edges = Vec::new();
        for index in 0..count {
            let all_rows = 10f64.powf(rng.random_range(0.0..6.0)).ceil();
            let other = 1 << rng.random_range(0..index.max(1));
            let is_filter = index + 1 == count && rng.random_bool(0.3);
            relations.push(Relation {
                rows: (all_rows * rng.random_range(0.01..1.0)).ceil(),
                all_rows,
                kind: match is_filter {
                    true => Role::Filters {
                        needs: other,
                        kept: 0.1,
                    },
                    false => Role::Joined,
                },
            });
            if index > 0 && !is_filter {
                edges.push(Edge {
                    left: other,
                    right: 1 << index,
                    columns: Some((2 * index, 2 * index + 1)),
                    domain: rng.random_range(1.0..all_rows + 2.0),
                });
            }
        }
        Problem {
            relations,
            edges,
            conditions: vec![0b11],
        }
    }

    /// Every order without a cross product.
    fn orders(problem: &Problem, set: Set) -> Vec<Tree> {
        if set.count_ones() == 1 {
            return vec![Tree::Leaf(set.trailing_zeros() as usize)];
        }
        let mut found = Vec::new();
        let mut one = (set - 1) & set;
        while one > 0 {
            let other = set & !one;
            if problem.are_joinable(one, other) {
                for left in orders(problem, one) {
                    for right in orders(problem, other) {
                        found.push(Tree::Join(Box::new(left.clone()), Box::new(right)));
                    }
                }
            }
            one = (one - 1) & set;
        }
        found
    }

    #[test]
    fn no_order_is_cheaper_than_the_one_that_is_found() {
        let rng = &mut StdRng::seed_from_u64(7);
        for _ in 0..100 {
            let count = rng.random_range(2..=6);
            let problem = problem(rng, count);
            let costs = orders(&problem, (1 << count) - 1)
                .into_iter()
                .map(|tree| problem.cost(&tree));
            let least = costs.fold(f64::INFINITY, f64::min);
            let found = problem.cost(&problem.best().unwrap());
            assert!(found <= least * 1.000_001, "{found} of {least}");
        }
    }

    #[test]
    fn many_relations_are_all_joined_and_not_dearer_than_in_the_order_of_the_text() {
        let rng = &mut StdRng::seed_from_u64(8);
        let mut ratios = Vec::new();
        for _ in 0..20 {
            let problem = problem(rng, 20);
            let best = problem.best().unwrap();
            assert_eq!(best.set(), (1 << 20) - 1);
            let written = (1..20).fold(Tree::Leaf(0), |tree, index| {
                Tree::Join(Box::new(tree), Box::new(Tree::Leaf(index)))
            });
            ratios.push(problem.cost(&best) / problem.cost(&written));
        }
        ratios.sort_by(f64::total_cmp);
        assert!(ratios[10] < 1.0, "{ratios:?}");
    }

    #[test]
    fn what_cannot_be_joined_without_a_product_has_no_order() {
        let rng = &mut StdRng::seed_from_u64(9);
        let mut problem = problem(rng, 4);
        problem.edges.pop();
        problem.edges.pop();
        problem.relations.truncate(4);
        for relation in &mut problem.relations {
            relation.kind = Role::Joined;
        }
        assert_eq!(problem.best(), None);
    }
}
