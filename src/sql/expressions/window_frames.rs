//! Window frames whose start moves, for aggregates that cannot retract rows.
//!
//! DataFusion retracts the rows that leave a frame from an aggregate, and refuses an aggregate that cannot retract:
//! `bool_and`, `string_agg`, and any user-defined aggregate without `retract_batch`. Here such an aggregate is
//! computed anew for each row from all rows of its frame. The cost per row grows with the frame, so each row checks
//! for a timeout or cancellation.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::expr::{AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, LogicalPlan, ReversedUDAF, Signature,
    WindowFunctionDefinition,
};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};

use super::rewrite::rewrite;
use crate::sql::resources::interrupt::Stop;

/// When a frame has more pieces than this, its pieces are concatenated.
const PIECES: usize = 64;

/// Lets all aggregates of an optimized plan run over any frame; `stop` ends a long evaluation.
pub(crate) fn over_any_frame(plan: LogicalPlan, stop: &Arc<Stop>) -> Result<LogicalPlan> {
    rewrite(plan, slides, |expr, _| {
        expr.transform_up(|expr| match expr {
            Expr::WindowFunction(mut call) if slides_call(&call.fun, &call.params) => {
                if let WindowFunctionDefinition::AggregateUDF(function) = &call.fun {
                    let framed = AggregateUDF::new_from_impl(Framed {
                        function: Arc::clone(function),
                        stop: Arc::clone(stop),
                    });
                    call.fun = WindowFunctionDefinition::AggregateUDF(Arc::new(framed));
                }
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            }
            expr => Ok(Transformed::no(expr)),
        })
    })
}

fn slides(expr: &Expr) -> bool {
    match expr {
        Expr::WindowFunction(call) => slides_call(&call.fun, &call.params),
        _ => false,
    }
}

fn slides_call(function: &WindowFunctionDefinition, params: &WindowFunctionParams) -> bool {
    matches!(function, WindowFunctionDefinition::AggregateUDF(_))
        && !params.window_frame.is_ever_expanding()
}

/// An aggregate function over a frame whose start moves.
#[derive(Debug)]
struct Framed {
    function: Arc<AggregateUDF>,
    stop: Arc<Stop>,
}

impl PartialEq for Framed {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function
    }
}

impl Eq for Framed {}

impl Hash for Framed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

impl AggregateUDFImpl for Framed {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.function.schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.function.display_name(params)
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.function.window_function_schema_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.function.window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.coerce_types(arg_types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.function.return_type(arg_types)
    }

    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        self.function.return_field(arg_fields)
    }

    fn is_nullable(&self) -> bool {
        self.function.is_nullable()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.function.default_value(data_type)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.function.state_fields(args)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.function.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.function.supports_within_group_clause()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.function.reverse_udf() {
            ReversedUDAF::Identical => ReversedUDAF::Identical,
            _ => ReversedUDAF::NotSupported,
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.function.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let call = Call::of(&self.function, &args);
        let sliding = self.function.create_sliding_accumulator(args)?;
        Ok(match sliding.supports_retract_batch() {
            true => sliding,
            false => Box::new(Frame {
                call,
                stop: Arc::clone(&self.stop),
                pieces: VecDeque::new(),
                retracted_rows: 0,
            }),
        })
    }
}

/// The arguments that an accumulator is created from.
#[derive(Debug)]
struct Call {
    function: Arc<AggregateUDF>,
    return_field: FieldRef,
    schema: Schema,
    ignore_nulls: bool,
    order_bys: Vec<PhysicalSortExpr>,
    is_reversed: bool,
    name: String,
    is_distinct: bool,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    expr_fields: Vec<FieldRef>,
}

impl Call {
    fn of(function: &Arc<AggregateUDF>, args: &AccumulatorArgs) -> Self {
        Self {
            function: Arc::clone(function),
            return_field: Arc::clone(&args.return_field),
            schema: args.schema.clone(),
            ignore_nulls: args.ignore_nulls,
            order_bys: args.order_bys.to_vec(),
            is_reversed: args.is_reversed,
            name: args.name.to_string(),
            is_distinct: args.is_distinct,
            exprs: args.exprs.to_vec(),
            expr_fields: args.expr_fields.to_vec(),
        }
    }

    fn accumulator(&self) -> Result<Box<dyn Accumulator>> {
        self.function.accumulator(AccumulatorArgs {
            return_field: Arc::clone(&self.return_field),
            schema: &self.schema,
            ignore_nulls: self.ignore_nulls,
            order_bys: &self.order_bys,
            is_reversed: self.is_reversed,
            name: &self.name,
            is_distinct: self.is_distinct,
            exprs: &self.exprs,
            expr_fields: &self.expr_fields,
        })
    }
}

/// The arguments of all rows of a frame.
#[derive(Debug)]
struct Frame {
    call: Call,
    stop: Arc<Stop>,
    /// The arguments in row order, one entry per batch that was added.
    pieces: VecDeque<Vec<ArrayRef>>,
    /// How many rows of the first piece were retracted.
    retracted_rows: usize,
}

fn rows(piece: &[ArrayRef]) -> usize {
    piece.first().map_or(0, |column| column.len())
}

impl Frame {
    /// The rows that are still in the frame, in pieces.
    fn remaining_pieces(&self) -> impl Iterator<Item = Vec<ArrayRef>> {
        let retracted_rows = self.retracted_rows;
        let pieces = self.pieces.iter().enumerate();
        pieces.map(move |(place, piece)| {
            let from = if place == 0 { retracted_rows } else { 0 };
            let columns = piece.iter();
            let columns = columns.map(|column| column.slice(from, column.len() - from));
            columns.collect()
        })
    }

    fn computed(&self) -> Result<Box<dyn Accumulator>> {
        self.stop.check()?;
        let mut accumulator = self.call.accumulator()?;
        for piece in self.remaining_pieces() {
            accumulator.update_batch(&piece)?;
        }
        Ok(accumulator)
    }
}

impl Accumulator for Frame {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if rows(values) == 0 {
            return Ok(());
        }
        self.pieces.push_back(values.to_vec());
        if self.pieces.len() > PIECES {
            let pieces: Vec<_> = self.remaining_pieces().collect();
            let columns = (0..values.len()).map(|column| {
                let parts = pieces.iter().map(|piece| piece[column].as_ref());
                Ok(concat(&parts.collect::<Vec<_>>())?)
            });
            self.pieces = VecDeque::from([columns.collect::<Result<_>>()?]);
            self.retracted_rows = 0;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.retracted_rows += rows(values);
        while let Some(first) = self.pieces.front()
            && rows(first) <= self.retracted_rows
        {
            self.retracted_rows -= rows(first);
            self.pieces.pop_front();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.computed()?.evaluate()
    }

    fn size(&self) -> usize {
        let columns = self.pieces.iter().flatten();
        columns
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum::<usize>()
            + size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.computed()?.state()
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        not_impl_err!(
            "{} over a frame takes rows alone",
            self.call.function.name()
        )
    }
}
