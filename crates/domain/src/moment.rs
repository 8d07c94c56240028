//! Moments as text: reads RFC 3339 in UTC, and takes a moment apart for people. Only what Slipway itself writes, so that the
//! browser need not load jiff's parser and formatter, which read and write everything.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const DAY: i64 = 86_400;

/// A moment in UTC, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Parts {
    /// Takes a moment apart.
    pub fn of(at: Timestamp) -> Self {
        let seconds = at.as_millisecond().div_euclid(1000);
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Years here begin in March, so that a leap day is a year's last: 146 097 days are 400 years.
        let days = days + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let late = month >= 10;
        Self {
            year: era * 400 + year + i64::from(late),
            month: if late { month - 9 } else { month + 3 },
            day: day - (153 * month + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// “Nov”.
    pub fn month_name(&self) -> &'static str {
        const NAMES: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        usize::try_from(self.month - 1)
            .ok()
            .and_then(|month| NAMES.get(month))
            .copied()
            .unwrap_or_default()
    }

    fn at(&self) -> i64 {
        let (year, month) = if self.month > 2 {
            (self.year, self.month - 3)
        } else {
            (self.year - 1, self.month + 9)
        };
        let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
        let day = (153 * month + 2) / 5 + self.day - 1 + 365 * year + year / 4 - year / 100;
        (era * 146_097 + day - 719_468) * DAY + self.hour * 3600 + self.minute * 60 + self.second
    }
}

/// Reads “2026-11-21T07:31:04.25Z”.
pub fn parse(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let rest = text.get(19..)?.strip_suffix('Z')?;
    let nanoseconds = match rest.strip_prefix('.') {
        Some(digits) => format!("{digits:0<9}").parse().ok()?,
        None => 0,
    };
    let parts = Parts {
        year: number(0, 4)?,
        month: number(5, 7)?,
        day: number(8, 10)?,
        hour: number(11, 13)?,
        minute: number(14, 16)?,
        second: number(17, 19)?,
    };
    let at = Timestamp::new(parts.at(), nanoseconds).ok()?;
    // There is no 31 February.
    (Parts::of(at) == parts).then_some(at)
}

/// The beginning of the day “2026-11-21” in UTC, so many days later.
pub fn begin_of_day(text: &str, later: i64) -> Option<Timestamp> {
    let is_day = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let begin = parse(&format!("{text}T00:00:00Z")).filter(|_| is_day)?;
    begin
        .checked_add(SignedDuration::from_secs(DAY * later))
        .ok()
}

/// For `#[serde(with = "…")]`.
pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    at.serialize(serializer)
}

/// For `#[serde(with = "…")]`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .ok_or_else(|| de::Error::custom("not a moment in UTC, such as 2026-11-21T07:31:04Z"))
}

/// For moments that may be missing.
pub mod maybe {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp, de, parse};

    /// For `#[serde(with = "…")]`.
    pub fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.serialize(serializer)
    }

    /// For `#[serde(with = "…")]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| {
                parse(&text).ok_or_else(|| {
                    de::Error::custom("not a moment in UTC, such as 2026-11-21T07:31:04Z")
                })
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments() -> impl Iterator<Item = Timestamp> {
        // From 1800 to 2200 in steps that hit every month, leap days and times before 1970.
        (-5_364_662_400_i64..7_258_118_400)
            .step_by(777_777)
            .chain([951_782_399, 951_782_400, 1_709_251_199, 4_107_542_400])
            .map(|second| Timestamp::new(second, 0).unwrap())
    }

    #[test]
    fn it_reads_what_jiff_writes() {
        for at in moments() {
            assert_eq!(parse(&at.to_string()), Some(at));
        }
        let fine = Timestamp::new(1_795_246_264, 25_000_001).unwrap();
        assert_eq!(parse(&fine.to_string()), Some(fine));
    }

    #[test]
    fn parts_are_those_of_jiff() {
        for at in moments() {
            let Parts {
                year,
                month,
                day,
                hour,
                minute,
                second,
            } = Parts::of(at);
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            assert_eq!(text, at.to_string());
        }
        assert_eq!(Parts::of(Timestamp::UNIX_EPOCH).month_name(), "Jan");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T07:31:04",
            "2026-11-21T07:31:04+01:00",
            "2026-11-21T07:31:04.Zz",
            "é026-11-21T07:31:04Z",
            "2026-11-21T07:31:04.1234567890Z",
            "2026-02-31T07:31:04Z",
            "2026-11-21T07:31:60Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
