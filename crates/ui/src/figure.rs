//! Numbers and times as text, the same on every machine: no locale, UTC.

use domain::{Timestamp, moment::Parts, strategy::spell_seconds};

/// “21 Nov 07:31 UTC”.
pub fn minute(at: Timestamp) -> String {
    format!("{} {} UTC", day(at), hour_minute(at))
}

/// “21 Nov 07:31:04 UTC”.
pub fn second(at: Timestamp) -> String {
    format!("{} {} UTC", day(at), hour_minute_second(at))
}

/// “2026-11-21 07:31:04 UTC”.
pub fn full(at: Timestamp) -> String {
    let Parts {
        year, month, day, ..
    } = Parts::of(at);
    format!("{year}-{month:02}-{day:02} {} UTC", hour_minute_second(at))
}

/// “21 Nov”.
pub fn day(at: Timestamp) -> String {
    let parts = Parts::of(at);
    format!("{} {}", parts.day, parts.month_name())
}

/// “07:31”.
pub fn hour_minute(at: Timestamp) -> String {
    let Parts { hour, minute, .. } = Parts::of(at);
    format!("{hour:02}:{minute:02}")
}

/// “07:31:04”.
pub fn hour_minute_second(at: Timestamp) -> String {
    format!("{}:{:02}", hour_minute(at), Parts::of(at).second)
}

/// “48 h”, “1 min 30 s”; “0 s” when it is over.
pub fn length(milliseconds: i64) -> String {
    spell_seconds(u64::try_from(milliseconds).unwrap_or(0).div_ceil(1000))
}

/// “1 host”, “6 hosts”.
pub fn count(n: u32, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(u64::from(n)))
}

/// Three significant digits, thousands separated by commas, no trailing zeros: “0.42”, “18.2”, “1,234”.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "—".to_owned();
    }
    let size = value.abs();
    let decimals = match size {
        _ if size >= 100.0 || size == 0.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 0.1 => 2,
        _ => 4,
    };
    if decimals == 0 && size < 1e15 {
        let sign = if value <= -0.5 { "−" } else { "" };
        return format!("{sign}{}", grouped(size.round() as u64));
    }
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    text.replace('-', "−")
}

/// A number with its unit, “182 ms”; a dash where nothing was measured.
pub fn measure(value: Option<f64>, unit: &str) -> String {
    match value {
        Some(value) if unit.is_empty() => number(value),
        Some(1.0) if unit == "hosts" => count(1, "host"),
        Some(value) => format!("{} {unit}", number(value)),
        None => "—".to_owned(),
    }
}

/// A rate of 0–1 as “12.5 %”; a dash where there was nothing to divide by.
pub fn percent(rate: Option<f64>) -> String {
    measure(rate.map(|rate| rate * 100.0), "%")
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (0.42, "0.42"),
            (0.004, "0.004"),
            (18.24, "18.2"),
            (20.0, "20"),
            (99.96, "100"),
            (1234.5, "1,235"),
            (1_000_000.0, "1,000,000"),
            (-3.5, "−3.5"),
            (-250.0, "−250"),
            (f64::NAN, "—"),
            (f64::INFINITY, "—"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(measure(Some(182.0), "ms"), "182 ms");
        assert_eq!(measure(None, "ms"), "—");
        assert_eq!(measure(Some(1.0), "hosts"), "1 host");
        assert_eq!(measure(Some(2.0), "hosts"), "2 hosts");
        assert_eq!(percent(Some(0.125)), "12.5 %");
    }

    #[test]
    fn times_and_counts_read_well() {
        let at = Timestamp::constant(1_795_246_264, 0);
        assert_eq!(full(at), "2026-11-21 07:31:04 UTC");
        assert_eq!(minute(at), "21 Nov 07:31 UTC");
        assert_eq!(length(-5), "0 s");
        assert_eq!(length(1), "1 s");
        assert_eq!(count(1, "host"), "1 host");
        assert_eq!(count(10_000, "host"), "10,000 hosts");
    }
}
