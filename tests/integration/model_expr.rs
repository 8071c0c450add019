//! Random expressions over a [`Row`], as SQL text (`Display`) and evaluated by SQL's rules.

use std::fmt;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::model::{Row, literal, maybe, text};

/// A BIGINT expression.
#[derive(Clone, Debug)]
pub enum Value {
    Column(&'static str),
    Literal(Option<i64>),
    Arithmetic(Box<Value>, char, Box<Value>),
    Remainder(Box<Value>, i64),
    Coalesce(Box<Value>, Box<Value>),
    Case(Box<Condition>, Box<Value>, Box<Value>),
}

/// A condition: true, false or unknown.
#[derive(Clone, Debug)]
pub enum Condition {
    Constant(Option<bool>),
    Compare(Value, &'static str, Value),
    Text(&'static str, Option<String>),
    StartsWith(String),
    TextIsNull(bool),
    IsNull(Value, bool),
    In(Value, Vec<Option<i64>>, bool),
    Between(Value, Value, Value),
    IsTrue(Box<Condition>, bool),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

const COMPARISONS: [&str; 8] = [
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "IS DISTINCT FROM",
    "IS NOT DISTINCT FROM",
];

fn compare<T: Ord>(a: Option<T>, operator: &str, b: Option<T>) -> Option<bool> {
    match operator {
        "IS DISTINCT FROM" => return Some(a != b),
        "IS NOT DISTINCT FROM" => return Some(a == b),
        _ => {}
    }
    let order = a?.cmp(&b?);
    Some(match operator {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|a| !a), b.map(|b| !b)).map(|both| !both)
}

impl Value {
    pub fn random(rng: &mut StdRng, has_x: bool, depth: u32) -> Self {
        let columns: &[&'static str] = if has_x {
            &["id", "g", "n", "n", "x"]
        } else {
            &["id", "g", "n", "n"]
        };
        let inner = |rng: &mut StdRng| Box::new(Self::random(rng, has_x, depth - 1));
        match if depth == 0 {
            rng.random_range(0..5)
        } else {
            rng.random_range(0..11)
        } {
            0..3 => Self::Column(columns.choose(rng).unwrap()),
            3..5 => Self::Literal(maybe(rng)),
            5..8 => {
                let operator = *['+', '-', '*'].choose(rng).unwrap();
                Self::Arithmetic(inner(rng), operator, inner(rng))
            }
            8 => Self::Remainder(inner(rng), *[2, 3, 7, -5].choose(rng).unwrap()),
            9 => Self::Coalesce(inner(rng), inner(rng)),
            _ => Self::Case(
                Box::new(Condition::random(rng, has_x, depth - 1)),
                inner(rng),
                inner(rng),
            ),
        }
    }

    pub fn of(&self, row: &Row) -> Option<i64> {
        match self {
            Self::Column("id") => Some(row.id),
            Self::Column("g") => Some(row.g),
            Self::Column("n") => row.n,
            Self::Column(_) => row.x,
            Self::Literal(value) => *value,
            Self::Arithmetic(a, '+', b) => Some(a.of(row)? + b.of(row)?),
            Self::Arithmetic(a, '-', b) => Some(a.of(row)? - b.of(row)?),
            Self::Arithmetic(a, _, b) => Some(a.of(row)? * b.of(row)?),
            Self::Remainder(a, by) => Some(a.of(row)? % by),
            Self::Coalesce(a, b) => a.of(row).or_else(|| b.of(row)),
            Self::Case(condition, then, otherwise) if condition.holds(row) => then.of(row),
            Self::Case(_, _, otherwise) => otherwise.of(row),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => write!(f, "t.{name}"),
            Self::Literal(Some(value)) => write!(f, "({value})"),
            Self::Literal(None) => f.write_str("CAST(NULL AS BIGINT)"),
            Self::Arithmetic(a, operator, b) => write!(f, "({a} {operator} {b})"),
            Self::Remainder(a, by) => write!(f, "({a} % ({by}))"),
            Self::Coalesce(a, b) => write!(f, "coalesce({a}, {b})"),
            Self::Case(condition, then, otherwise) => {
                write!(f, "CASE WHEN {condition} THEN {then} ELSE {otherwise} END")
            }
        }
    }
}

impl Condition {
    pub fn random(rng: &mut StdRng, has_x: bool, depth: u32) -> Self {
        let value = |rng: &mut StdRng| Value::random(rng, has_x, depth.min(2));
        let inner = |rng: &mut StdRng| Box::new(Self::random(rng, has_x, depth - 1));
        match if depth == 0 {
            rng.random_range(0..16)
        } else {
            rng.random_range(0..24)
        } {
            0 => Self::Constant(*[Some(true), Some(false), None].choose(rng).unwrap()),
            1..6 => Self::Compare(value(rng), COMPARISONS.choose(rng).unwrap(), value(rng)),
            6..8 => Self::Compare(
                Value::Column("id"),
                COMPARISONS[..6].choose(rng).unwrap(),
                Value::Literal(Some(rng.random_range(0..600))),
            ),
            8..10 => Self::Text(COMPARISONS.choose(rng).unwrap(), text(rng)),
            10 => Self::StartsWith(["a", "ab", "O'", ""].choose(rng).unwrap().to_string()),
            11 => Self::TextIsNull(rng.random()),
            12 => Self::IsNull(value(rng), rng.random()),
            13..15 => Self::In(
                value(rng),
                (0..rng.random_range(1..5)).map(|_| maybe(rng)).collect(),
                rng.random(),
            ),
            15 => Self::Between(value(rng), value(rng), value(rng)),
            16 => Self::IsTrue(inner(rng), rng.random()),
            17..19 => Self::Not(inner(rng)),
            19..22 => Self::And(inner(rng), inner(rng)),
            _ => Self::Or(inner(rng), inner(rng)),
        }
    }

    /// Whether a row passes WHERE.
    pub fn holds(&self, row: &Row) -> bool {
        self.of(row) == Some(true)
    }

    fn of(&self, row: &Row) -> Option<bool> {
        match self {
            Self::Constant(value) => *value,
            Self::Compare(a, operator, b) => compare(a.of(row), operator, b.of(row)),
            Self::Text(operator, value) => compare(row.s.as_deref(), operator, value.as_deref()),
            Self::StartsWith(start) => row.s.as_ref().map(|s| s.starts_with(start.as_str())),
            Self::TextIsNull(is) => Some(row.s.is_none() == *is),
            Self::IsNull(value, is) => Some(value.of(row).is_none() == *is),
            Self::In(value, list, is) => {
                let value = value.of(row);
                let each = list.iter().map(|item| compare(value, "=", *item));
                let any = each.reduce(or).unwrap_or(Some(false));
                any.map(|any| any == *is)
            }
            Self::Between(value, low, high) => {
                let value = value.of(row);
                and(
                    compare(value, ">=", low.of(row)),
                    compare(value, "<=", high.of(row)),
                )
            }
            Self::IsTrue(condition, is) => Some(condition.holds(row) == *is),
            Self::Not(condition) => condition.of(row).map(|value| !value),
            Self::And(a, b) => and(a.of(row), b.of(row)),
            Self::Or(a, b) => or(a.of(row), b.of(row)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |is: &bool| if *is { "" } else { "NOT " };
        match self {
            Self::Constant(Some(value)) => write!(f, "{value}"),
            Self::Constant(None) => f.write_str("CAST(NULL AS BOOLEAN)"),
            Self::Compare(a, operator, b) => write!(f, "({a} {operator} {b})"),
            Self::Text(operator, Some(value)) => {
                write!(f, "(t.s {operator} '{}')", value.replace('\'', "''"))
            }
            Self::Text(operator, None) => write!(f, "(t.s {operator} NULL)"),
            Self::StartsWith(start) => write!(f, "(t.s LIKE '{}%')", start.replace('\'', "''")),
            Self::TextIsNull(is) => write!(f, "(t.s IS {}NULL)", not(is)),
            Self::IsNull(value, is) => write!(f, "({value} IS {}NULL)", not(is)),
            Self::In(value, list, is) => {
                let list: Vec<String> = list.iter().map(|item| literal(*item)).collect();
                write!(f, "({value} {}IN ({}))", not(is), list.join(", "))
            }
            Self::Between(value, low, high) => write!(f, "({value} BETWEEN {low} AND {high})"),
            Self::IsTrue(condition, is) => write!(f, "({condition} IS {}TRUE)", not(is)),
            Self::Not(condition) => write!(f, "(NOT {condition})"),
            Self::And(a, b) => write!(f, "({a} AND {b})"),
            Self::Or(a, b) => write!(f, "({a} OR {b})"),
        }
    }
}
