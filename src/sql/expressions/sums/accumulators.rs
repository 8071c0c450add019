//! The accumulators of the checked `sum`: plain, grouped and DISTINCT. All of these accumulate in 128 bits.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::mem::{size_of, size_of_val};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type};
use datafusion::common::{DataFusionError, HashMap, Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::accumulate::NullState;
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::nulls::filtered_null_mask;

use crate::error::DfOlapError;

/// The type of a partial sum.
pub(super) const WIDE: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

/// A type whose sums are accumulated in 128 bits.
pub(super) trait Summed:
    ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>> + Debug + Send + Sync
{
}

impl<T> Summed for T where
    T: ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>> + Debug + Send + Sync
{
}

pub(super) fn is_wide<T: Summed>() -> bool {
    true
}

pub(super) fn total<T: Summed>(made: &DataType) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(SumAccumulator::<T> {
        sum: 0,
        values: 0,
        made: ResultType::new(made),
    }))
}

pub(super) fn totals<T: Summed>(made: &DataType) -> Result<Box<dyn GroupsAccumulator>> {
    Ok(Box::new(GroupSumAccumulator::<T> {
        sums: Vec::new(),
        seen: NullState::new(),
        made: ResultType::new(made),
    }))
}

pub(super) fn distinct<T: Summed>(made: &DataType) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Distinct::<T> {
        counts: HashMap::default(),
        made: ResultType::new(made),
    }))
}

/// Converts an accumulated sum to the type of the result.
#[derive(Debug)]
struct ResultType<T> {
    data_type: DataType,
    /// The first value that exceeds the precision of the decimal.
    too_large: Option<u128>,
    of: PhantomData<T>,
}

impl<T: Summed> ResultType<T> {
    fn new(data_type: &DataType) -> Self {
        let digits = match data_type {
            DataType::Decimal32(precision, _)
            | DataType::Decimal64(precision, _)
            | DataType::Decimal128(precision, _) => Some(u32::from(*precision)),
            _ => None,
        };
        Self {
            data_type: data_type.clone(),
            too_large: digits.map(|digits| 10u128.pow(digits)),
            of: PhantomData,
        }
    }

    fn value(&self, sum: i128) -> Result<T::Native> {
        let fits = self
            .too_large
            .is_none_or(|limit| sum.unsigned_abs() < limit);
        match T::Native::try_from(sum) {
            Ok(value) if fits => Ok(value),
            _ => Err(self.overflow()),
        }
    }

    fn overflow(&self) -> DataFusionError {
        let wider = match self.data_type {
            DataType::Int64 | DataType::UInt64 => {
                "; sum a wider type, as in sum(CAST(… AS DECIMAL(38, 0)))"
            }
            _ => "",
        };
        DfOlapError::Invalid(format!(
            "overflow: a sum does not fit {}{wider}",
            self.data_type
        ))
        .into()
    }
}

/// Adds the non-NULL `values`; true if the sum overflows 128 bits.
fn add<T: Summed>(sum: &mut i128, values: &PrimitiveArray<T>) -> bool {
    let slice = |from: usize, to: usize| sum_of(&values.values()[from..to]);
    let mut overflown = false;
    let mut add = |(part, too_large): (i128, bool)| {
        let (new, overflows) = sum.overflowing_add(part);
        *sum = new;
        overflown |= overflows | too_large;
    };
    match values.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            for (from, to) in nulls.valid_slices() {
                add(slice(from, to));
            }
        }
        _ => add(slice(0, values.len())),
    }
    overflown
}

/// The sum of `values`, and whether it overflows 128 bits. Numbers of up to 64 bits are added as two 32-bit halves,
/// which needs no carry.
fn sum_of<N: Copy + Into<i128>>(values: &[N]) -> (i128, bool) {
    const HALVES: usize = 1 << 31;
    let mut sum = 0i128;
    let mut overflown = false;
    if size_of::<N>() <= size_of::<i64>() {
        for values in values.chunks(HALVES) {
            let (mut low, mut high) = (0u64, 0i64);
            for value in values {
                let value: i128 = (*value).into();
                low += u64::from(value as u32);
                high += (value >> 32) as i64;
            }
            sum += (i128::from(high) << 32) + i128::from(low);
        }
    } else {
        for value in values {
            let (new, overflows) = sum.overflowing_add((*value).into());
            sum = new;
            overflown |= overflows;
        }
    }
    (sum, overflown)
}

fn valid_count(values: &dyn Array) -> u64 {
    (values.len() - values.null_count()) as u64
}

/// One sum; supports retraction for sliding window frames.
#[derive(Debug)]
struct SumAccumulator<T> {
    sum: i128,
    /// The number of non-NULL values in the sum.
    values: u64,
    made: ResultType<T>,
}

impl<T: Summed> Accumulator for SumAccumulator<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        self.values += valid_count(values);
        match add(&mut self.sum, values) {
            true => Err(self.made.overflow()),
            false => Ok(()),
        }
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        self.values -= valid_count(values);
        let mut retracted = 0;
        let overflown = add(&mut retracted, values);
        match self.sum.checked_sub(retracted) {
            Some(sum) if !overflown => {
                self.sum = sum;
                Ok(())
            }
            _ => Err(self.made.overflow()),
        }
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_primitive::<Decimal128Type>();
        self.values += valid_count(sums);
        match add(&mut self.sum, sums) {
            true => Err(self.made.overflow()),
            false => Ok(()),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.values > 0).then_some(self.sum);
        Ok(vec![ScalarValue::new_primitive::<Decimal128Type>(
            sum, &WIDE,
        )?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = match self.values {
            0 => None,
            _ => Some(self.made.value(self.sum)?),
        };
        ScalarValue::new_primitive::<T>(sum, &self.made.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// A sum for each group.
#[derive(Debug)]
struct GroupSumAccumulator<T> {
    sums: Vec<i128>,
    seen: NullState,
    made: ResultType<T>,
}

impl<T: Summed> GroupSumAccumulator<T> {
    fn add<V: Summed>(
        &mut self,
        values: &PrimitiveArray<V>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, 0);
        let sums = self.sums.as_mut_slice();
        let mut overflown = false;
        self.seen
            .accumulate(groups, values, filter, total_groups, |group, value| {
                let sum = &mut sums[group];
                let (new, overflows) = sum.overflowing_add(value.into());
                *sum = new;
                overflown |= overflows;
            });
        match overflown {
            true => Err(self.made.overflow()),
            false => Ok(()),
        }
    }
}

impl<T: Summed> GroupsAccumulator for GroupSumAccumulator<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.add(values[0].as_primitive::<T>(), groups, filter, total_groups)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        let sums = states[0].as_primitive::<Decimal128Type>();
        self.add(sums, groups, None, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        let nulls = self.seen.build(emit_to);
        // A group without a value has the sum 0, which always fits.
        let values = sums.into_iter().map(|sum| self.made.value(sum));
        let values = values.collect::<Result<Vec<_>>>()?;
        let array = PrimitiveArray::<T>::try_new(values.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(self.made.data_type.clone())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = emit_to.take_needed(&mut self.sums);
        let nulls = self.seen.build(emit_to);
        let array = PrimitiveArray::<Decimal128Type>::try_new(sums.into(), nulls)?;
        Ok(vec![Arc::new(array.with_data_type(WIDE))])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<T>();
        let nulls = filtered_null_mask(filter, values);
        let sums: Vec<i128> = values.values().iter().map(|v| (*v).into()).collect();
        let array = PrimitiveArray::<Decimal128Type>::try_new(sums.into(), nulls)?;
        Ok(vec![Arc::new(array.with_data_type(WIDE))])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.seen.size()
    }
}

/// The sum of distinct values; supports retraction for sliding window frames.
#[derive(Debug)]
struct Distinct<T> {
    /// How often each value occurs.
    counts: HashMap<i128, u64>,
    made: ResultType<T>,
}

impl<T: Summed> Distinct<T> {
    fn each(values: &dyn Array) -> impl Iterator<Item = i128> {
        values
            .as_primitive::<T>()
            .iter()
            .flatten()
            .map(|value| value.into())
    }
}

impl<T: Summed> Accumulator for Distinct<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in Self::each(&values[0]) {
            *self.counts.entry(value).or_default() += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in Self::each(&values[0]) {
            if let Some(count) = self.counts.get_mut(&value) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&value);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[values])?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.counts.keys().map(|value| {
            let value = T::Native::try_from(*value).ok();
            ScalarValue::new_primitive::<T>(value, &self.made.data_type)
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let list = ScalarValue::new_list(&values, &self.made.data_type, true);
        Ok(vec![ScalarValue::List(list)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self
            .counts
            .keys()
            .try_fold(0i128, |sum, value| sum.checked_add(*value));
        let sum = match sum {
            _ if self.counts.is_empty() => None,
            Some(sum) => Some(self.made.value(sum)?),
            None => return Err(self.made.overflow()),
        };
        ScalarValue::new_primitive::<T>(sum, &self.made.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.capacity() * size_of::<(i128, u64)>()
    }
}
