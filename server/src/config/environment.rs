//! `SLIPWAY_*` variables as a figment provider. Values stay text, so that a key of digits is not taken for a number;
//! only values that begin with `[` or `{` are read as lists and tables.

use std::convert::Infallible;

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::SETTINGS;

const PREFIX: &str = "SLIPWAY_";

/// The variable that holds a setting: `oidc.client_id` is `SLIPWAY_OIDC__CLIENT_ID`.
pub fn name(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "__").to_uppercase())
}

/// The settings found in the environment.
pub struct Environment(Dict);

impl Environment {
    /// `DATABASE_URL` counts as `SLIPWAY_DATABASE_URL`, which wins. Variables that are no settings are ignored.
    pub fn of(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut variables: Vec<_> = variables.collect();
        // Puts DATABASE_URL first, so that the longer name overwrites it.
        variables.sort();
        let mut settings = Dict::new();
        for (name, value) in variables {
            let path = match name.strip_prefix(PREFIX) {
                Some(rest) => rest.to_lowercase(),
                None if name == "DATABASE_URL" => "database_url".to_owned(),
                None => continue,
            };
            let path: Vec<&str> = path.split("__").collect();
            if SETTINGS.contains(&path[0]) {
                insert(&mut settings, &path, read(value));
            }
        }
        Self(settings)
    }
}

fn read(text: String) -> Value {
    if text.starts_with(['[', '{']) {
        let parsed: Result<Value, Infallible> = text.parse();
        match parsed {
            Ok(value) => value,
        }
    } else {
        Value::from(text)
    }
}

fn insert(settings: &mut Dict, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => {
            settings.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = settings
                .entry((*first).to_owned())
                .or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}
