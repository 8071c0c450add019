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

/// The internal function that represents a number of many digits. The control character keeps the name out of plain
/// SQL.
pub(crate) const NUMBER: &str = "\u{1}number";

/// The number of significant decimal digits that every double holds.
const DIGITS_OF_DOUBLES: usize = 15;

/// Replaces numbers that a double cannot hold by calls of [`NUMBER`].
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

/// True for a number, with or without a minus, that DataFusion would round to a double although a decimal can hold it.
pub(crate) fn is_long(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let significant = digits.skip_while(|digit| *digit == b'0').count();
    let fits = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    significant > DIGITS_OF_DOUBLES && !fits && wide_decimal(text).is_some()
}

/// The decimal of exactly these digits: `-12.50` is -12.5. `None` for more than 38 digits, or an exponent.
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

/// Like [`decimal`], but with up to 76 digits, for a number that meets a `Decimal256`.
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

/// A number without its decimal point, leading zeros, and trailing zeros of the fraction.
struct Digits {
    /// At least one digit, after a minus sign if the number is negative.
    text: String,
    scale: i8,
}

impl Digits {
    /// `None` if the text has anything but a minus sign, digits and a point.
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

    /// The number of digits, fraction included; `None` for more than `most`.
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

/// The text of a number literal: of a double, or of a call of [`NUMBER`].
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

/// The function [`NUMBER`]: a number of many digits, given as text. Its displayed name is that of the double which
/// DataFusion would make of the number.
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

/// The value of the text that a call has: a decimal, or a double if the number has too many digits for a `Decimal128`
/// and met no wider decimal.
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
