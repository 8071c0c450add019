//! Fast decimal arithmetic in 64-bit integers, where the values show that it is exact.
//!
//! A DECIMAL has 128 bits, and DataFusion checks each product for overflow, which takes several instructions on any
//! processor and dozens in WebAssembly. Most values are small. So a pass over both columns finds how many bits their
//! values take; if the results fit into 64 bits, none of them can overflow, and a plain loop computes them. Otherwise
//! the caller falls back to DataFusion's operator.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, Operator};

/// The bits of an i64 without its sign.
const WORD: u32 = 63;

/// `left op right` as a column of type `made`; `None` if DataFusion has to evaluate it.
pub(super) fn arithmetic(
    left: &ColumnarValue,
    op: Operator,
    right: &ColumnarValue,
    made: &DataType,
) -> Option<ArrayRef> {
    let &DataType::Decimal128(precision, scale) = made else {
        return None;
    };
    let (left, right) = (Operand::of(left)?, Operand::of(right)?);
    let values: Vec<i128> = match op {
        Operator::Multiply if left.scale.checked_add(right.scale)? == scale => {
            // The product of two negative ends, −2ᵃ and −2ᵇ, takes one bit more than both.
            if left.bits() + right.bits() >= WORD {
                return None;
            }
            each(&left, &right, |left, right| left * right)?
        }
        Operator::Plus | Operator::Minus => {
            let (by_left, by_right) = (factor(left.scale, scale)?, factor(right.scale, scale)?);
            // A sum takes one bit more than its parts.
            if left.bits() + bits(by_left.into()) >= WORD
                || right.bits() + bits(by_right.into()) >= WORD
            {
                return None;
            }
            if op == Operator::Plus {
                each(&left, &right, |left, right| {
                    left * by_left + right * by_right
                })?
            } else {
                each(&left, &right, |left, right| {
                    left * by_left - right * by_right
                })?
            }
        }
        _ => return None,
    };
    let nulls = NullBuffer::union(left.nulls(), right.nulls());
    let made = Decimal128Array::new(values.into(), nulls);
    Some(Arc::new(
        made.with_precision_and_scale(precision, scale).ok()?,
    ))
}

struct Operand<'a> {
    values: Values<'a>,
    scale: i8,
}

enum Values<'a> {
    Many(&'a Decimal128Array),
    One(i128),
}

impl<'a> Operand<'a> {
    fn of(value: &'a ColumnarValue) -> Option<Self> {
        match value {
            ColumnarValue::Array(array) => {
                let array = array.as_primitive_opt::<Decimal128Type>()?;
                Some(Self {
                    values: Values::Many(array),
                    scale: array.scale(),
                })
            }
            ColumnarValue::Scalar(ScalarValue::Decimal128(Some(value), _, scale)) => Some(Self {
                values: Values::One(*value),
                scale: *scale,
            }),
            ColumnarValue::Scalar(_) => None,
        }
    }

    /// How many bits the longest value takes, without its sign. Values in NULL slots count too.
    fn bits(&self) -> u32 {
        match self.values {
            Values::One(value) => bits(value),
            Values::Many(array) => {
                let all = array
                    .values()
                    .iter()
                    .fold(0, |all, value| all | folded(*value));
                i128::BITS - all.leading_zeros()
            }
        }
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        match self.values {
            Values::One(_) => None,
            Values::Many(array) => array.nulls(),
        }
    }
}

fn bits(value: i128) -> u32 {
    i128::BITS - folded(value).leading_zeros()
}

/// Inverts the bits of a negative value; the result takes as many bits.
fn folded(value: i128) -> i128 {
    value ^ (value >> (i128::BITS - 1))
}

/// The factor that rescales a value to a larger scale.
fn factor(from: i8, to: i8) -> Option<i64> {
    10_i64.checked_pow(u32::try_from(to.checked_sub(from)?).ok()?)
}

/// Applies `work` to each row. The operands and the results are known to fit into i64. `None` for two scalars.
#[expect(clippy::cast_possible_truncation, reason = "they fit")]
fn each(left: &Operand, right: &Operand, work: impl Fn(i64, i64) -> i64) -> Option<Vec<i128>> {
    let one = |value: i128| value as i64;
    let made = |left: i64, right: i64| i128::from(work(left, right));
    match (&left.values, &right.values) {
        (Values::Many(left), Values::Many(right)) => {
            let pairs = left.values().iter().zip(right.values());
            Some(
                pairs
                    .map(|(left, right)| made(one(*left), one(*right)))
                    .collect(),
            )
        }
        (Values::Many(left), Values::One(right)) => {
            let right = one(*right);
            Some(
                left.values()
                    .iter()
                    .map(|left| made(one(*left), right))
                    .collect(),
            )
        }
        (Values::One(left), Values::Many(right)) => {
            let left = one(*left);
            Some(
                right
                    .values()
                    .iter()
                    .map(|right| made(left, one(*right)))
                    .collect(),
            )
        }
        (Values::One(_), Values::One(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::compute::kernels::numeric::{add, mul, sub};
    use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL128_MAX_SCALE};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Values of any bit length, some of them NULL, as an array or a scalar.
    fn operand(random: &mut StdRng, rows: usize, bits: u32, scale: i8) -> ColumnarValue {
        let mut value = || {
            let value: i128 = random.random();
            (random.random_range(0..10) > 0)
                .then_some(value >> (127 - bits.min(random.random_range(0..120))))
        };
        let array: Decimal128Array = (0..rows).map(|_| value()).collect();
        let array = array
            .with_precision_and_scale(DECIMAL128_MAX_PRECISION, scale)
            .unwrap();
        if rows == 1 {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0).unwrap())
        } else {
            ColumnarValue::Array(Arc::new(array))
        }
    }

    #[test]
    fn what_is_made_in_words_is_what_arrow_makes() {
        let mut random = StdRng::seed_from_u64(7);
        let mut quick = 0;
        for _ in 0..3000 {
            let rows = 50;
            let (left_rows, right_rows) =
                [(rows, rows), (rows, 1), (1, rows)][random.random_range(0..3)];
            let bits = random.random_range(0..60);
            let (left_scale, right_scale) =
                (random.random_range(0..=8), random.random_range(0..=8));
            let left = operand(&mut random, left_rows, bits, left_scale);
            let right = operand(&mut random, right_rows, bits, right_scale);
            let column = |value: &ColumnarValue| value.to_array(rows).unwrap();
            let (whole_left, whole_right) = (column(&left), column(&right));
            for op in [Operator::Plus, Operator::Minus, Operator::Multiply] {
                let arrow = match op {
                    Operator::Plus => add(&whole_left, &whole_right),
                    Operator::Minus => sub(&whole_left, &whole_right),
                    _ => mul(&whole_left, &whole_right),
                };
                let scale = if op == Operator::Multiply {
                    left_scale + right_scale
                } else {
                    left_scale.max(right_scale)
                };
                assert!(scale <= DECIMAL128_MAX_SCALE);
                let made = DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale);
                if let Some(found) = arithmetic(&left, op, &right, &made) {
                    assert_eq!(&found, &arrow.unwrap(), "{left:?} {op} {right:?}");
                    quick += 1;
                }
            }
        }
        assert!(quick > 2000, "words were enough {quick} times");
    }

    #[test]
    fn the_longest_words_do_not_overflow() {
        let made = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);
        for length in 55..=64 {
            let ends = [
                1_i128 << length,
                (1 << length) - 1,
                -(1 << length),
                -(1 << length) - 1,
                0,
                1,
                -1,
            ];
            let all = Decimal128Array::from_iter_values(ends)
                .with_precision_and_scale(DECIMAL128_MAX_PRECISION, 0)
                .unwrap();
            let all: ArrayRef = Arc::new(all);
            let array = ColumnarValue::Array(Arc::clone(&all));
            for value in ends {
                let scalar = ColumnarValue::Scalar(ScalarValue::Decimal128(
                    Some(value),
                    DECIMAL128_MAX_PRECISION,
                    0,
                ));
                let column = scalar.to_array(ends.len()).unwrap();
                for (op, arrow) in [
                    (Operator::Plus, add(&all, &column)),
                    (Operator::Minus, sub(&all, &column)),
                    (Operator::Multiply, mul(&all, &column)),
                ] {
                    if let Some(found) = arithmetic(&array, op, &scalar, &made) {
                        assert_eq!(&found, &arrow.unwrap());
                    }
                }
            }
        }
    }

    #[test]
    fn products_at_the_edge_of_a_word_are_exact() {
        let made = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);
        let column = |value: i128| -> ArrayRef {
            let values = Decimal128Array::from_iter_values([value]);
            Arc::new(
                values
                    .with_precision_and_scale(DECIMAL128_MAX_PRECISION, 0)
                    .unwrap(),
            )
        };
        for length in 0..=63 {
            let (left, right) = (-(1_i128 << length), -(1_i128 << (63 - length)));
            let operands = [left, right].map(|value| ColumnarValue::Array(column(value)));
            let found = arithmetic(&operands[0], Operator::Multiply, &operands[1], &made);
            if let Some(found) = found {
                assert_eq!(&found, &column(left * right), "{left} * {right}");
            }
        }
    }
}
