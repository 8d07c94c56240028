//! Variables that playbooks are given, each at one place: a service or an environment, an environment of a service, a group
//! of hosts. See ADR 0017.

pub(crate) mod name;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    host::Host,
    id::{EnvironmentId, ServiceId, VariableId},
    text::{FieldError, GroupName, Sha256, VariableName, listed, shown},
};

/// What a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableKind {
    Text,
    /// A whole or decimal number.
    Number,
    /// `true` or `false`.
    YesNo,
    /// Texts in their order.
    List,
    /// Any JSON.
    Json,
    /// A text that is stored as ciphertext, shown to nobody, and masked in outputs.
    Secret,
}

crate::words::words!(VariableKind "kind": Text = "text", Number = "number", YesNo = "yes_no", List = "list", Json = "json",
    Secret = "secret");

/// Characters a value has at most, as it was typed.
const LONGEST: usize = 20_000;
/// A shorter secret could not be masked in an output without blotting out ordinary words.
pub const SHORTEST_SECRET: usize = 4;

impl VariableKind {
    /// Reads what was typed. Text that Ansible would run as a template is refused, but in a secret, which is handed over
    /// letter by letter.
    pub fn read(self, typed: &str) -> Result<Value, FieldError> {
        let refuse = |message: String| Err(FieldError::new("value", message));
        let length = typed.chars().count();
        if length > LONGEST {
            return refuse(format!(
                "The value has {length} characters; at most {LONGEST} are kept."
            ));
        }
        let lines = || typed.lines().map(str::trim).filter(|line| !line.is_empty());
        let value = match self {
            // Browsers end lines as mail does.
            Self::Text => Value::from(typed.replace("\r\n", "\n")),
            Self::Secret => {
                let text = typed.replace("\r\n", "\n");
                if text.lines().all(|line| line.trim().len() < SHORTEST_SECRET) {
                    return refuse(format!(
                        "A secret has at least {SHORTEST_SECRET} characters: a shorter one could not be masked in outputs."
                    ));
                }
                return Ok(Value::from(text));
            }
            Self::Number => match serde_json::from_str(typed.trim()) {
                Ok(Value::Number(number)) => Value::Number(number),
                _ => {
                    return refuse(format!(
                        "“{}” is not a number. Give one such as “8080” or “0.5”.",
                        shown(typed)
                    ));
                }
            },
            Self::YesNo => match typed.trim().to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" => Value::Bool(true),
                "no" | "false" | "off" => Value::Bool(false),
                _ => return refuse("Give “yes” or “no”.".to_owned()),
            },
            Self::List => lines().map(Value::from).collect(),
            Self::Json => match serde_json::from_str(typed) {
                Ok(value) => value,
                Err(error) => {
                    return refuse(format!(
                        "This is not JSON: {error}. Check quotes and commas."
                    ));
                }
            },
        };
        match template_in(&value) {
            Some(text) => refuse(format!(
                "“{}” holds a template, which Ansible would run. Give the plain value.",
                shown(text)
            )),
            None => Ok(value),
        }
    }

    /// A value as it is typed; the reverse of [`Self::read`].
    pub fn write(self, value: &Value) -> String {
        match (self, value) {
            (Self::YesNo, Value::Bool(yes)) => (if *yes { "yes" } else { "no" }).to_owned(),
            (Self::List, Value::Array(items)) => {
                let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                items.join("\n")
            }
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        }
    }
}

/// The first text in `value` that Ansible would evaluate instead of taking it as it is.
pub fn template_in(value: &Value) -> Option<&str> {
    let is_template = |text: &str| ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark));
    match value {
        Value::String(text) => is_template(text).then_some(text),
        Value::Array(values) => values.iter().find_map(template_in),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            is_template(name)
                .then_some(name.as_str())
                .or_else(|| template_in(value))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Where a variable holds. What names more wins, in the order service, environment, group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// `None` is every service of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// `None` is every environment of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentId>,
    /// Inventory group; `None` is every host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
}

impl Place {
    /// Which of two variables of one name wins: the greater.
    const fn rank(&self) -> (bool, bool, bool) {
        (
            self.service.is_some(),
            self.environment.is_some(),
            self.group.is_some(),
        )
    }

    fn reaches(&self, host: &Host) -> bool {
        self.group
            .as_ref()
            .is_none_or(|group| group.as_str() == "all" || host.groups.contains(group.as_str()))
    }
}

/// A variable. A plan holds a secret by its name: the value may be renewed without a new approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    pub id: VariableId,
    pub name: VariableName,
    pub kind: VariableKind,
    #[serde(flatten)]
    pub place: Place,
    /// `None` for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl Variable {
    /// Refuses a password by which hosts are reached as plain text.
    pub fn check(self) -> Result<Self, FieldError> {
        if name::CONNECTING.contains(&self.name.as_str()) && self.kind != VariableKind::Secret {
            return Err(FieldError::new(
                "kind",
                format!("{} is a password. Set it as a secret.", self.name),
            ));
        }
        Ok(self)
    }
}

/// What of `variables` holds for one host, by name; what the inventory says of the host itself is not among it.
/// Two groups of the host that say different things are refused: nothing says which of them is meant.
pub fn for_host<'a>(
    variables: &'a [Variable],
    host: &Host,
) -> Result<BTreeMap<&'a str, &'a Variable>, FieldError> {
    let mut found: BTreeMap<&str, &Variable> = BTreeMap::new();
    for variable in variables {
        if !variable.place.reaches(host) {
            continue;
        }
        let name = variable.name.as_str();
        match found.get(name) {
            Some(other) if other.place.rank() > variable.place.rank() => {}
            Some(other) if other.place.rank() == variable.place.rank() => {
                let groups = [other, &variable].map(|variable| {
                    let group = variable.place.group.as_ref();
                    group.map_or("all", GroupName::as_str)
                });
                return Err(FieldError::new(
                    "environment",
                    format!(
                        "{} belongs to the groups {}, and each has a variable “{name}”. Set it for one of them, or take the host out of one.",
                        host.name,
                        listed(groups, 2)
                    ),
                ));
            }
            _ => {
                found.insert(name, variable);
            }
        }
    }
    Ok(found)
}

/// SHA-256 over what a host is given, `None` when that is nothing. A secret counts by its name.
pub fn digest(variables: &[Variable], host: &Host) -> Result<Option<Sha256>, FieldError> {
    let found = for_host(variables, host)?;
    if found.is_empty() {
        return Ok(None);
    }
    let given: Vec<Value> = found
        .into_values()
        .map(|variable| json!([variable.id, variable.name, variable.kind, variable.value]))
        .collect();
    Ok(Some(Sha256::of(Value::Array(given).to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{host::Criticality, id::HostId};

    #[test]
    fn what_was_typed_becomes_a_value_of_its_kind() {
        use VariableKind::*;
        for (kind, typed, expected) in [
            (Text, " a b ", Some(json!(" a b "))),
            (Text, "", Some(json!(""))),
            (Text, "a\r\nb", Some(json!("a\nb"))),
            (Text, "{{ lookup('pipe', 'id') }}", None),
            (Number, " 8080 ", Some(json!(8080))),
            (Number, "0.5", Some(json!(0.5))),
            (Number, "-1", Some(json!(-1))),
            (Number, "08", None),
            (Number, "1; rm", None),
            (Number, "\"1\"", None),
            (YesNo, "Yes", Some(json!(true))),
            (YesNo, "off", Some(json!(false))),
            (YesNo, "1", None),
            (List, "a\r\n\n b \n", Some(json!(["a", "b"]))),
            (List, "", Some(json!([]))),
            (List, "{% raw %}", None),
            (Json, "{\"a\": [1, null]}", Some(json!({"a": [1, null]}))),
            (Json, "{\"{{ a }}\": 1}", None),
            (Json, "{a: 1}", None),
            (Secret, "p{{w}}'\"ö", Some(json!("p{{w}}'\"ö"))),
            (Secret, "abc", None),
            (Secret, "a\nb\nc\nd\ne", None),
        ] {
            let read = kind.read(typed);
            assert_eq!(read.clone().ok(), expected, "{kind} {typed:?}");
            if let Ok(value) = read {
                let again = kind.read(&kind.write(&value)).unwrap();
                assert_eq!(again, value, "{kind} {typed:?}");
            }
        }
        assert!(Text.read(&"x".repeat(LONGEST + 1)).is_err());
    }

    fn host(groups: &[&str]) -> Host {
        Host {
            id: HostId(Uuid::nil()),
            environment: EnvironmentId(Uuid::nil()),
            identity: "web-1".to_owned(),
            name: "web-1".parse().unwrap(),
            criticality: Criticality::Normal,
            failure_domain: String::new(),
            groups: groups.iter().map(ToString::to_string).collect(),
            variables: BTreeMap::new(),
        }
    }

    fn variable(service: bool, environment: bool, group: Option<&str>, value: u8) -> Variable {
        Variable {
            id: VariableId(Uuid::nil()),
            name: "x".parse().unwrap(),
            kind: VariableKind::Number,
            place: Place {
                service: service.then_some(ServiceId(Uuid::nil())),
                environment: environment.then_some(EnvironmentId(Uuid::nil())),
                group: group.map(|group| group.parse().unwrap()),
            },
            value: Some(json!(value)),
        }
    }

    #[test]
    fn what_names_more_wins_in_whatever_order_it_comes() {
        let web = Some("web");
        let ladder = [
            variable(false, true, None, 0),
            variable(false, true, web, 1),
            variable(true, false, None, 2),
            variable(true, false, web, 3),
            variable(true, true, None, 4),
            variable(true, true, web, 5),
        ];
        for (lower, low) in ladder.iter().enumerate() {
            for high in &ladder[lower + 1..] {
                for pair in [[low, high], [high, low]] {
                    let pair = pair.map(Clone::clone);
                    let found = for_host(&pair, &host(&["web"])).unwrap();
                    assert_eq!(found["x"].value, high.value, "{pair:?}");
                }
            }
        }
        let found = for_host(&ladder, &host(&["db"])).unwrap();
        assert_eq!(found["x"].value, Some(json!(4)));
    }

    #[test]
    fn two_groups_that_say_the_same_name_are_refused() {
        let both = [
            variable(true, true, Some("web"), 1),
            variable(true, true, Some("eu"), 2),
        ];
        let refused = for_host(&both, &host(&["web", "eu"])).unwrap_err();
        assert!(refused.message.contains("eu") && refused.message.contains("web"));
        assert!(for_host(&both, &host(&["web"])).is_ok());
        // A place that names more settles it.
        let three = [both[0].clone(), both[1].clone()];
        assert!(for_host(&three, &host(&[])).unwrap().is_empty());
    }
}
