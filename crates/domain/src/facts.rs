//! What a host is: system, hardware and identity, as the host itself told.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line that a host told of itself: 1–128 characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Fact(String);

impl Fact {
    /// `None` when the text is empty, too long or not one line.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one host told. Whatever it told in a form that is not understood is left out, because nothing is decided by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub struct HostFacts {
    /// `Debian GNU/Linux`, `RedHat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Fact>,
    /// Of the distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Fact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Fact>,
    /// `x86_64`, `aarch64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Fact>,
    /// As the host calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Fact>,
    /// Version of the Python that Ansible uses there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<Fact>,
    /// Of the installation; machines that were copied may share one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<Fact>,
    /// Instance id of a cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_id: Option<Fact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Memory in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
}

impl HostFacts {
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<BTreeMap<String, Value>> for HostFacts {
    fn from(told: BTreeMap<String, Value>) -> Self {
        let text = |name: &str| told.get(name).and_then(Value::as_str).and_then(Fact::new);
        let number = |name: &str| {
            told.get(name)
                .and_then(Value::as_u64)
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| *number > 0)
        };
        Self {
            distribution: text("distribution"),
            version: text("version"),
            kernel: text("kernel"),
            architecture: text("architecture"),
            hostname: text("hostname"),
            python: text("python"),
            machine_id: text("machine_id"),
            cloud_id: text("cloud_id"),
            cpus: number("cpus"),
            memory_mb: number("memory_mb"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_understood_is_left_out() {
        let read = |value: Value| serde_json::from_value::<HostFacts>(value).unwrap();
        let told = json!({"distribution": "Debian GNU/Linux", "kernel": "6.1.0", "cpus": 2, "memory_mb": 24105});
        let facts = read(told.clone());
        assert_eq!(
            facts.distribution.as_ref().map(Fact::as_str),
            Some("Debian GNU/Linux")
        );
        assert_eq!((facts.cpus, facts.memory_mb), (Some(2), Some(24105)));
        assert_eq!(serde_json::to_value(&facts).unwrap(), told);
        for strange in [
            json!({}),
            json!({"kernel": ""}),
            json!({"kernel": "x".repeat(129)}),
            json!({"kernel": "two\nlines"}),
            json!({"kernel": ["6.1"]}),
            json!({"cpus": "2"}),
            json!({"cpus": 0}),
            json!({"cpus": -1}),
            json!({"memory_mb": 1u64 << 32}),
            json!({"environment": {"PASSWORD": "hunter2"}}),
        ] {
            assert!(read(strange.clone()).is_empty(), "{strange}");
        }
    }
}
