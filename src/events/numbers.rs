//! Numbers and moments from text and from the units that events have.

use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime, string_to_time_nanoseconds};
use arrow::datatypes::{Date32Type, TimeUnit, i256};
use chrono::Utc;

/// A decimal text as an integer with `scale` digits after the point; `None` if it is no decimal, or not without loss.
pub(super) fn decimal(text: &str, scale: i8) -> Option<i256> {
    let text = text.trim();
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (is_negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty()
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let mut digits = format!("{whole}{fraction}");
    let shift = i32::from(scale).checked_add(exponent)?;
    let shift = shift.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if digits.bytes().all(|digit| digit == b'0') {
        return Some(i256::ZERO);
    }
    if shift >= 0 {
        // No decimal has more than 76 digits.
        if shift > 76 {
            return None;
        }
        digits.extend(std::iter::repeat_n('0', shift as usize));
    } else {
        let kept = digits.len().checked_sub(shift.unsigned_abs() as usize)?;
        if digits[kept..].bytes().any(|digit| digit != b'0') {
            return None;
        }
        digits.truncate(kept);
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 76 {
        return None;
    }
    let value = i256::from_string(digits)?;
    match is_negative {
        true => value.checked_neg(),
        false => Some(value),
    }
}

/// An integer of bytes, most significant first, as an integer with `to` digits after the point instead of `from`.
pub(super) fn unscaled(bytes: &[u8], from: i32, to: i8) -> Option<i256> {
    if bytes.is_empty() {
        return None;
    }
    let is_negative = bytes[0] & 0x80 != 0;
    let fill = if is_negative { 0xff } else { 0 };
    let extra = bytes.len().saturating_sub(32);
    if bytes[..extra].iter().any(|byte| *byte != fill) {
        return None;
    }
    let mut wide = [fill; 32];
    wide[32 - (bytes.len() - extra)..].copy_from_slice(&bytes[extra..]);
    rescale(i256::from_be_bytes(wide), from, to)
}

fn rescale(mut value: i256, from: i32, to: i8) -> Option<i256> {
    let ten = i256::from_i128(10);
    let shift = i32::from(to).checked_sub(from)?;
    if value == i256::ZERO {
        return Some(value);
    }
    for _ in 0..shift {
        value = value.checked_mul(ten)?;
    }
    for _ in shift..0 {
        if value.checked_rem(ten)? != i256::ZERO {
            return None;
        }
        value = value.checked_div(ten)?;
    }
    Some(value)
}

/// Whether a decimal may have so many digits after its point, which is more than any column has.
pub(super) fn is_scale(scale: i32) -> bool {
    (-1_000..=20_000).contains(&scale)
}

/// An integer as a decimal text with `scale` digits after the point.
pub(super) fn decimal_text(value: i256, scale: i32) -> String {
    let text = value.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    match usize::try_from(scale) {
        Ok(0) => text,
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) if value == i256::ZERO => text,
        Err(_) => format!(
            "{sign}{digits}{}",
            "0".repeat(scale.unsigned_abs() as usize)
        ),
    }
}

/// Nanoseconds in a unit.
pub(super) const fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// A number of units `from` as a number of units `to`; `None` if it is not without loss.
pub(super) fn in_unit(value: i64, from: TimeUnit, to: TimeUnit) -> Option<i64> {
    let (from, to) = (nanos(from), nanos(to));
    if from >= to {
        return value.checked_mul(from / to);
    }
    let factor = to / from;
    (value % factor == 0).then(|| value / factor)
}

/// A moment in ISO 8601, or with a space instead of `T`, as a number of units since 1970 in UTC. Without a time zone it
/// is in UTC.
pub(super) fn moment(text: &str, unit: TimeUnit) -> Option<i64> {
    let at = string_to_datetime(&Utc, text.trim()).ok()?;
    let of_second = i64::from(at.timestamp_subsec_nanos());
    let factor = nanos(unit);
    if of_second % factor != 0 {
        return None;
    }
    let seconds = at.timestamp().checked_mul(1_000_000_000 / factor)?;
    seconds.checked_add(of_second / factor)
}

/// A date as days since 1970; also a moment at midnight.
pub(super) fn date(text: &str) -> Option<i32> {
    let text = text.trim();
    let day = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if let Some(days) = Date32Type::parse(day).filter(|_| day.len() <= 10) {
        return Some(days);
    }
    let seconds = moment(text, TimeUnit::Second)?;
    match seconds % 86_400 {
        0 => i32::try_from(seconds / 86_400).ok(),
        _ => None,
    }
}

/// A time of day in nanoseconds.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim();
    string_to_time_nanoseconds(text.strip_suffix(['Z', 'z']).unwrap_or(text)).ok()
}

/// Whether these nanoseconds are a time of day.
pub(super) fn is_time_of_day(time: i64) -> bool {
    (0..86_400 * nanos(TimeUnit::Second)).contains(&time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, scale: i8) -> Option<i128> {
        decimal(text, scale).and_then(i256::to_i128)
    }

    #[test]
    fn decimals_are_exact_or_none() {
        assert_eq!(of("1.50", 2), Some(150));
        assert_eq!(of("-0.05", 2), Some(-5));
        assert_eq!(of("1.5e3", 0), Some(1500));
        assert_eq!(of("15E-1", 1), Some(15));
        assert_eq!(of("1.500", 1), Some(15));
        assert_eq!(of("1200", -2), Some(12));
        assert_eq!(of(".5", 1), Some(5));
        assert_eq!(of("0e999999999", 0), Some(0));
        for lossy in [
            "1.234",
            "1e-3",
            "abc",
            "",
            "-",
            ".",
            "1.2.3",
            "0x10",
            "1e",
            "1e99999999999",
            "NaN",
        ] {
            assert_eq!(decimal(lossy, 2), None, "{lossy}");
        }
        assert_eq!(decimal(&"9".repeat(77), 0), None);
        assert_eq!(decimal("1e80", 0), None);
    }

    #[test]
    fn unscaled_bytes_have_a_sign_and_a_scale() {
        assert_eq!(unscaled(&[0x30, 0x39], 2, 2), Some(i256::from_i128(12345)));
        assert_eq!(unscaled(&[0xff, 0x38], 2, 4), Some(i256::from_i128(-20000)));
        assert_eq!(unscaled(&[0x64], 3, 1), Some(i256::from_i128(1)));
        assert_eq!(unscaled(&[0x65], 3, 1), None);
        assert_eq!(unscaled(&[0x7f; 33], 0, 0), None);
        assert_eq!(unscaled(&[], 0, 0), None);
        assert_eq!(decimal_text(i256::from_i128(-5), 2), "-0.05");
        assert_eq!(decimal_text(i256::from_i128(12345), 2), "123.45");
        assert_eq!(decimal_text(i256::from_i128(12), -2), "1200");
    }

    #[test]
    fn units_change_without_loss() {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        assert_eq!(in_unit(1500, Millisecond, Microsecond), Some(1_500_000));
        assert_eq!(in_unit(1500, Millisecond, Second), None);
        assert_eq!(in_unit(-2000, Millisecond, Second), Some(-2));
        assert_eq!(in_unit(i64::MAX, Second, Nanosecond), None);
        assert_eq!(
            moment("2026-01-01 00:00:00.5+02", Millisecond),
            Some(1_767_218_400_500)
        );
        assert_eq!(moment("2026-01-01 00:00:00.5", Second), None);
        assert_eq!(moment("0000-00-00 00:00:00", Second), None);
        assert_eq!(date("1970-01-02Z"), Some(1));
        assert_eq!(date("1970-01-02 00:00:00"), Some(1));
        assert_eq!(date("1970-01-02 00:00:01"), None);
        assert_eq!(time_of_day("00:00:01.5Z"), Some(1_500_000_000));
    }
}
