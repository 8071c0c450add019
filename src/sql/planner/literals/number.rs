//! Number literals with more digits than a double has, kept as text until they are planned.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, FieldRef, i256,
};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::{self, VisitorMut};

use crate::sql::syntax::desugar;

/// The function whose call stands for a number of many digits, out of a user's way.
pub(crate) const NUMBER: &str = "\u{1}number";

/// How many significant digits every double holds.
const DIGITS_OF_DOUBLES: usize = 15;

/// Puts calls of [`NUMBER`] in the place of numbers that a double does not hold.
pub(crate) struct KeepDigits;

impl VisitorMut for KeepDigits {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
        match expr {
            ast::Expr::UnaryOp {
                op: ast::UnaryOperator::Minus,
                expr: inner,
            } => {
                if let Some(text) = digits(inner)
                    && is_long(&format!("-{text}"))
                {
                    **inner = call(text);
                }
            }
            other => {
                if let Some(text) = digits(other)
                    && is_long(text)
                {
                    *other = call(text);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn digits(expr: &ast::Expr) -> Option<&str> {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(text, false) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn call(text: &str) -> ast::Expr {
    let text = ast::Expr::value(ast::Value::SingleQuotedString(text.to_string()));
    desugar::call(ast::Ident::with_quote('"', NUMBER), vec![text])
}

/// True for a number that DataFusion would round to a double and a decimal holds; below zero where it has a minus.
pub(crate) fn is_long(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let significant = digits.skip_while(|digit| *digit == b'0').count();
    let fits = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    significant > DIGITS_OF_DOUBLES && !fits && wide_decimal(text).is_some()
}

/// The decimal of exactly these digits: `-12.50` is 12.5. `None` where it has more than 38, or an exponent.
pub(crate) fn decimal(text: &str) -> Option<ScalarValue> {
    let digits = Digits::of(text)?;
    let value = digits.text.parse().ok()?;
    let precision = digits.precision(DECIMAL128_MAX_PRECISION)?;
    Some(ScalarValue::Decimal128(
        Some(value),
        precision,
        digits.scale,
    ))
}

/// The same with up to 76 digits, where they meet a decimal that may have as many.
pub(crate) fn wide_decimal(text: &str) -> Option<ScalarValue> {
    decimal(text).or_else(|| {
        let digits = Digits::of(text)?;
        let value = i256::from_string(&digits.text)?;
        let precision = digits.precision(DECIMAL256_MAX_PRECISION)?;
        Some(ScalarValue::Decimal256(
            Some(value),
            precision,
            digits.scale,
        ))
    })
}

/// A number without its point and what says nothing.
struct Digits {
    /// At least one digit, behind a minus where it is below zero.
    text: String,
    scale: i8,
}

impl Digits {
    /// `None` where there is anything but digits and a point.
    fn of(text: &str) -> Option<Self> {
        let (sign, text) = match text.strip_prefix('-') {
            Some(text) => ("-", text),
            None => ("", text),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        let mut digits = [whole, fraction].into_iter().flat_map(str::bytes);
        if text.is_empty() || !digits.all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let zero = match (whole, fraction) {
            ("", "") => "0",
            _ => "",
        };
        Some(Self {
            text: [sign, whole, fraction, zero].concat(),
            scale: i8::try_from(fraction.len()).ok()?,
        })
    }

    /// How many there are, those behind the point included; `None` where they are more than `most`.
    fn precision(&self, most: u8) -> Option<u8> {
        let digits = self.text.trim_start_matches('-').len();
        u8::try_from(digits).ok().filter(|digits| *digits <= most)
    }
}

pub(super) fn is_numeral(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Float64(Some(_)), _) => true,
        Expr::ScalarFunction(call) => call.func.name() == NUMBER,
        _ => false,
    }
}

/// The text of a number literal that is a double, or of many digits.
pub(super) fn numeral(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) if value.is_finite() => {
            Some(value.to_string())
        }
        Expr::ScalarFunction(call) if call.func.name() == NUMBER => match call.args.as_slice() {
            [Expr::Literal(text, _)] => text.try_as_str().flatten().map(ToString::to_string),
            _ => None,
        },
        _ => None,
    }
}

/// A number of many digits by its text. Shows itself as DataFusion would show it: as a double.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number(Signature);

impl Number {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::any(1, Volatility::Immutable)))
    }

    fn shown(args: &[Expr]) -> Result<Expr> {
        let text = match args {
            [Expr::Literal(text, _)] => text.try_as_str().flatten(),
            _ => None,
        };
        match text.and_then(|text| text.parse().ok()) {
            Some(value) => Ok(Expr::Literal(ScalarValue::Float64(Some(value)), None)),
            None => plan_err!("a number has one text"),
        }
    }
}

/// The decimal of the one text that a call has, or the double of one of more digits, which met no decimal that has as
/// many.
fn value_of(text: Option<&ScalarValue>) -> Result<ScalarValue> {
    let text = text.and_then(ScalarValue::try_as_str).flatten();
    let double = |text: &str| Some(ScalarValue::Float64(Some(text.parse().ok()?)));
    match text.and_then(|text| decimal(text).or_else(|| double(text))) {
        Some(value) => Ok(value),
        None => plan_err!("a number has one text"),
    }
}

impl ScalarUDFImpl for Number {
    fn name(&self) -> &'static str {
        NUMBER
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Self::shown(args).map(|shown| shown.to_string())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Self::shown(args).map(|shown| shown.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type of a number is that of its digits")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let text = args.scalar_arguments.first().copied().flatten();
        let data_type = value_of(text)?.data_type();
        Ok(Arc::new(Field::new(self.name(), data_type, false)))
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let value = value_of(args.first().and_then(Expr::as_literal))?;
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Scalar(text)] => value_of(Some(text)).map(ColumnarValue::Scalar),
            _ => plan_err!("a number has one text"),
        }
    }
}
