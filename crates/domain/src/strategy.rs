//! How a rollout proceeds: how hosts are cut, how long each batch bakes, who decides at the gate.

use serde::{Deserialize, Serialize};

use crate::{budget::FailureBudget, partition::Split, text::FieldError};

/// Who lets a batch through its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateRule {
    /// A passing verdict promotes.
    #[default]
    Automatic,
    /// A person decides, whatever the verdict.
    Manual,
    /// A passing verdict *and* a person.
    Both,
}

crate::words::words!(GateRule "gate": Automatic = "automatic", Manual = "manual", Both = "both");

/// What a batch may lose against its own baseline before it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Allowed growth of latency, in per cent of the baseline.
    pub latency_percent: u32,
    /// Allowed growth of the error rate, in hundredths of a percentage point.
    pub error_basis_points: u32,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            latency_percent: 5,
            error_basis_points: 100,
        }
    }
}

/// How a rollout proceeds. Bakes are in seconds, one for each batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategy {
    pub split: Split,
    pub bake_seconds: Vec<u64>,
    pub gate: GateRule,
    pub tolerance: Tolerance,
    /// Not written where it is the default, so that plans from before there were budgets keep their digests.
    #[serde(default, skip_serializing_if = "FailureBudget::is_default")]
    pub failures: FailureBudget,
    /// How long a gate waits for a person before the batch is held, in seconds.
    pub gate_seconds: u64,
}

/// Complete intervals a verdict needs on each side.
pub const FEWEST_SAMPLES: u64 = 8;

impl Strategy {
    /// Refuses bakes that do not fit the batches, and bakes too short to be judged.
    ///
    /// `interval_seconds` is the telemetry's point interval and `time_scale` how much faster than the plan the
    /// installation's bakes run. A bake begins and ends within an interval, and the newest one is never trusted, so it
    /// takes two more than [`FEWEST_SAMPLES`].
    pub fn check(self, interval_seconds: u64, time_scale: u64) -> Result<Self, FieldError> {
        if self.bake_seconds.len() != self.split.batches() {
            return Err(FieldError::new(
                "bake",
                format!(
                    "Batches and bake times do not fit together: {} and {}. Give one bake time for each batch, such as “48h/48h/72h”, or a single one for all.",
                    self.split.batches(),
                    self.bake_seconds.len()
                ),
            ));
        }
        let least = (FEWEST_SAMPLES + 2)
            .saturating_mul(interval_seconds)
            .saturating_mul(time_scale.max(1));
        for (at, bake) in self.bake_seconds.iter().enumerate() {
            if *bake < least {
                return Err(FieldError::new(
                    "bake",
                    format!(
                        "The bake of batch {} is too short to be judged: telemetry comes every {}, and {} intervals are needed. Bake at least {}.",
                        at + 1,
                        spell_seconds(interval_seconds),
                        FEWEST_SAMPLES + 2,
                        spell_seconds(least)
                    ),
                ));
            }
            if *bake > 90 * 86_400 {
                return Err(FieldError::new(
                    "bake",
                    format!("The bake of batch {} is longer than 90 days.", at + 1),
                ));
            }
        }
        if !(60..=30 * 86_400).contains(&self.gate_seconds) {
            return Err(FieldError::new(
                "gate_wait",
                "A gate waits for a person between 1 minute and 30 days.",
            ));
        }
        if self.tolerance.latency_percent > 1000 || self.tolerance.error_basis_points > 10_000 {
            return Err(FieldError::new(
                "tolerance",
                "Allow at most 1,000 per cent more latency and 100 percentage points more errors.",
            ));
        }
        Ok(self)
    }
}

/// Reads `48h`, `90m`, `20s`, `3d`, or a sequence such as `1h30m`; gives seconds.
pub fn parse_seconds(field: &str, text: &str) -> Result<u64, FieldError> {
    let refuse = || {
        FieldError::new(
            field,
            format!(
                "“{}” is not a length of time. Write a number and a unit, such as “48h”, “90m”, “20s” or “3d”.",
                crate::text::shown(text)
            ),
        )
    };
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    for letter in text.trim().chars() {
        if let Some(digit) = letter.to_digit(10) {
            number = Some(
                number
                    .unwrap_or(0)
                    .checked_mul(10)
                    .and_then(|n| n.checked_add(u64::from(digit)))
                    .ok_or_else(refuse)?,
            );
        } else if letter != ' ' {
            let unit = match letter {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                _ => return Err(refuse()),
            };
            let amount = number
                .take()
                .ok_or_else(refuse)?
                .checked_mul(unit)
                .ok_or_else(refuse)?;
            total = total.checked_add(amount).ok_or_else(refuse)?;
        }
    }
    if number.is_some() || total == 0 {
        Err(refuse())
    } else {
        Ok(total)
    }
}

/// Reads one length of time for each of `batches`, separated by slashes; a single one serves all.
pub fn parse_bakes(text: &str, batches: usize) -> Result<Vec<u64>, FieldError> {
    let parts = text
        .split('/')
        .map(|part| parse_seconds("bake", part))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(match parts.as_slice() {
        [one] => vec![*one; batches],
        _ => parts,
    })
}

/// Spells seconds in the two largest units: `48 h`, `1 h 30 min`, `20 s`, `3 d`.
pub fn spell_seconds(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, "d"),
        (seconds % 86_400 / 3600, "h"),
        (seconds % 3600 / 60, "min"),
        (seconds % 60, "s"),
    ];
    // 48 h and 72 h are what people say of a bake, rather than 2 d and 3 d.
    if seconds.is_multiple_of(3600) && (3600..=72 * 3600).contains(&seconds) {
        return format!("{} h", seconds / 3600);
    }
    let spelt: Vec<String> = parts
        .iter()
        .skip_while(|(n, _)| *n == 0)
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    if spelt.is_empty() {
        "0 s".to_owned()
    } else {
        spelt.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strategy(split: &str, bakes: &[u64]) -> Strategy {
        Strategy {
            split: split.parse().unwrap(),
            bake_seconds: bakes.to_vec(),
            gate: GateRule::Automatic,
            tolerance: Tolerance::default(),
            failures: FailureBudget::default(),
            gate_seconds: 3600,
        }
    }

    #[test]
    fn a_bake_too_short_for_the_interval_is_refused() {
        assert!(
            strategy("100%", &[99])
                .check(10, 1)
                .unwrap_err()
                .message
                .contains("at least 1 min 40 s")
        );
        assert!(strategy("100%", &[100]).check(10, 1).is_ok());
        assert!(strategy("100%", &[172_800]).check(1, 8640).is_ok());
        assert!(strategy("100%", &[86_399]).check(1, 8640).is_err());
    }

    #[test]
    fn bakes_fit_batches() {
        assert!(
            strategy("50/50%", &[600])
                .check(1, 1)
                .unwrap_err()
                .message
                .contains("2 and 1")
        );
        assert_eq!(
            parse_bakes("48h/48h/72h", 3).unwrap(),
            [172_800, 172_800, 259_200]
        );
        assert_eq!(parse_bakes("20s", 2).unwrap(), [20, 20]);
    }

    #[test]
    fn lengths_of_time() {
        for (text, seconds) in [
            ("48h", 172_800),
            ("1h30m", 5400),
            ("20s", 20),
            ("3d", 259_200),
            (" 5m ", 300),
        ] {
            assert_eq!(parse_seconds("bake", text).unwrap(), seconds, "{text}");
        }
        for bad in ["", "5", "h", "-5m", "5w", "99999999999999999999d", "0s"] {
            assert!(parse_seconds("bake", bad).is_err(), "{bad}");
        }
        for (seconds, text) in [
            (172_800, "48 h"),
            (5400, "1 h 30 min"),
            (20, "20 s"),
            (0, "0 s"),
            (86_400 * 4, "4 d"),
            (259_200, "72 h"),
        ] {
            assert_eq!(spell_seconds(seconds), text);
        }
    }
}
