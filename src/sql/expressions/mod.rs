//! Corrections of expressions that DataFusion evaluates wrongly or without a size limit, or from which its optimizer
//! draws wrong conclusions; and our own functions.

pub(crate) mod bounded_functions;
pub(crate) mod chunked;
mod decimal;
pub(crate) mod fallible;
pub(crate) mod frame_bounds;
mod intervals;
pub(crate) mod nonempty_nulls;
pub(crate) mod nulls;
pub(crate) mod opaque;
mod output_size;
pub(crate) mod overflow;
mod passthrough;
pub(crate) mod rewrite;
pub(crate) mod rounding;
pub(crate) mod slices;
pub(crate) mod sums;
pub(crate) mod time_zone;
pub(crate) mod times_as_numbers;
mod truth_values;
mod version;
pub(crate) mod window_frames;
