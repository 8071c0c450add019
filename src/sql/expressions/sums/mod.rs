//! A `sum` that fails on overflow, where DataFusion's wraps around.
//!
//! Sums of whole numbers, durations and decimals are kept in 128 bits, within a batch, between partial sums and in
//! windows, so that only the result has to fit its type: that of DataFusion's own `sum`.

mod accumulators;

use std::sync::Arc;

use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field, FieldRef,
    Int64Type, TimeUnit, UInt64Type,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::SessionStateBuilder;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs,
};

use accumulators::{WIDE, distinct, is_wide, total, totals};

/// Replaces DataFusion's `sum` with the checked one.
pub(crate) fn check_sums(builder: &mut SessionStateBuilder) {
    let functions = builder.aggregate_functions().iter_mut().flatten();
    for function in functions.filter(|function| function.name() == "sum") {
        *function = Arc::new(AggregateUDF::new_from_impl(CheckedSum(Sum::new())));
    }
}

/// Calls a generic function with the Arrow type of a sum that is kept in 128 bits; other types take `$otherwise`,
/// which calls DataFusion's `sum`.
macro_rules! wide {
    ($data_type:expr, $make:ident($($arg:expr),*), $otherwise:expr) => {
        match $data_type {
            DataType::Int64 => $make::<Int64Type>($($arg),*),
            DataType::UInt64 => $make::<UInt64Type>($($arg),*),
            DataType::Decimal32(..) => $make::<Decimal32Type>($($arg),*),
            DataType::Decimal64(..) => $make::<Decimal64Type>($($arg),*),
            DataType::Decimal128(..) => $make::<Decimal128Type>($($arg),*),
            DataType::Duration(TimeUnit::Second) => $make::<DurationSecondType>($($arg),*),
            DataType::Duration(TimeUnit::Millisecond) => $make::<DurationMillisecondType>($($arg),*),
            DataType::Duration(TimeUnit::Microsecond) => $make::<DurationMicrosecondType>($($arg),*),
            DataType::Duration(TimeUnit::Nanosecond) => $make::<DurationNanosecondType>($($arg),*),
            _ => $otherwise,
        }
    };
}

/// The checked `sum`. Unlike DataFusion's, it does not simplify `sum(x + 1)` to `sum(x) + count(x)`, because
/// `sum(x)` may overflow where `sum(x + 1)` fits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum(Sum);

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.0.return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let made = args.return_type();
        match args.is_distinct {
            true => wide!(made, distinct(made), self.0.accumulator(args)),
            false => wide!(made, total(made), self.0.accumulator(args)),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let made = args.return_type();
        match args.is_distinct {
            true => wide!(
                made,
                distinct(made),
                self.0.create_sliding_accumulator(args)
            ),
            false => wide!(made, total(made), self.0.create_sliding_accumulator(args)),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !wide!(args.return_type(), is_wide(), false) {
            return self.0.state_fields(args);
        }
        let field = match args.is_distinct {
            true => Field::new_list(
                format_state_name(args.name, "sum distinct"),
                Field::new_list_field(args.return_type().clone(), true),
                false,
            ),
            false => Field::new(format_state_name(args.name, "sum"), WIDE, true),
        };
        Ok(vec![Arc::new(field)])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let made = args.return_type();
        wide!(made, totals(made), self.0.create_groups_accumulator(args))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.0.reverse_expr()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.0.order_sensitivity()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.0.set_monotonicity(data_type)
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        self.0.value_from_stats(args)
    }
}
