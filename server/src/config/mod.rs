//! Configuration: `slipway.toml`, then `SLIPWAY_*` in the environment. Every refusal is one sentence that names the
//! setting and the next step.

mod address;
mod check;
mod environment;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    error::Kind,
    providers::{Format as _, Toml},
};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

pub use address::safe_url;
pub use check::{Checked, Oidc};
use environment::Environment;

/// The file read when no other is named; it may be absent.
const DEFAULT_FILE: &str = "slipway.toml";

/// Why the configuration cannot be used: one sentence for whoever installs Slipway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl ConfigError {
    /// `setting` as written in the file, what is wrong with it, and what to do.
    fn of(setting: &str, wrong_and_next_step: impl fmt::Display) -> Self {
        Self(format!(
            "The setting {setting} {wrong_and_next_step} (In the environment it is called {}.)",
            environment::name(setting)
        ))
    }
}

/// The configuration as written, before it is checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "default_listen")]
    listen: String,
    base_url: Option<String>,
    #[serde(default, deserialize_with = "words")]
    trusted_proxies: Vec<String>,
    #[serde(default = "default_data_dir")]
    data_dir: PathBuf,
    database_url: Option<String>,
    artifacts_dir: Option<PathBuf>,
    site_root: Option<PathBuf>,
    secret_key: Option<SecretString>,
    #[serde(default = "one", deserialize_with = "number")]
    time_scale: u64,
    #[serde(default = "default_worker")]
    worker: String,
    #[serde(default = "default_log")]
    pub log: String,
    oidc: Option<OidcConfig>,
    #[serde(default)]
    roles: Vec<RoleConfig>,
    datadog: Option<DatadogConfig>,
    #[serde(default)]
    ansible: AnsibleConfig,
    #[serde(default)]
    jobs: JobsConfig,
    #[serde(default)]
    outputs: OutputsConfig,
}

/// Names of the settings above, so that other variables that happen to begin with `SLIPWAY_` are left alone.
const SETTINGS: &[&str] = &[
    "listen",
    "base_url",
    "trusted_proxies",
    "data_dir",
    "database_url",
    "artifacts_dir",
    "site_root",
    "secret_key",
    "time_scale",
    "worker",
    "log",
    "oidc",
    "roles",
    "datadog",
    "ansible",
    "jobs",
    "outputs",
];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OidcConfig {
    issuer: String,
    client_id: String,
    client_secret: Option<SecretString>,
    #[serde(default = "default_scopes", deserialize_with = "words")]
    scopes: Vec<String>,
    title: Option<String>,
    #[serde(default)]
    others: Vec<OtherOidcConfig>,
}

/// A provider beside the first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherOidcConfig {
    name: String,
    issuer: String,
    client_id: String,
    client_secret: Option<SecretString>,
    #[serde(default = "default_scopes", deserialize_with = "words")]
    scopes: Vec<String>,
    title: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleConfig {
    group: String,
    role: String,
    team: Option<String>,
    provider: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatadogConfig {
    url: Option<String>,
    site: Option<String>,
    api_key: SecretString,
    app_key: SecretString,
    #[serde(default = "default_interval", deserialize_with = "number")]
    interval_seconds: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AnsibleConfig {
    playbook_bin: PathBuf,
    project_dir: PathBuf,
    ssh_private_key: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    #[serde(deserialize_with = "number")]
    forks: u64,
}

impl Default for AnsibleConfig {
    fn default() -> Self {
        Self {
            playbook_bin: "ansible-playbook".into(),
            project_dir: "automation/ansible".into(),
            ssh_private_key: None,
            known_hosts: None,
            forks: 20,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JobsConfig {
    #[serde(deserialize_with = "maybe_number")]
    at_once: Option<u64>,
    #[serde(deserialize_with = "maybe_number")]
    deploys_in_environment: Option<u64>,
    #[serde(deserialize_with = "maybe_number")]
    least_free_megabytes: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OutputsConfig {
    #[serde(deserialize_with = "maybe_number")]
    keep_days: Option<u64>,
    #[serde(deserialize_with = "maybe_number")]
    keep_gigabytes: Option<u64>,
    #[serde(deserialize_with = "maybe_number")]
    most_megabytes: Option<u64>,
    redact: Vec<String>,
    #[serde(deserialize_with = "maybe_flag")]
    redact_well_known: Option<bool>,
    s3: Option<S3Config>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Config {
    endpoint: Option<String>,
    #[serde(default = "default_region")]
    region: String,
    bucket: String,
    #[serde(default)]
    prefix: String,
    access_key_id: Option<String>,
    secret_access_key: Option<SecretString>,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

fn default_listen() -> String {
    "127.0.0.1:8400".to_owned()
}

fn default_data_dir() -> PathBuf {
    "slipway-data".into()
}

fn default_worker() -> String {
    "main".to_owned()
}

fn default_log() -> String {
    "info".to_owned()
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email", "groups"]
        .map(str::to_owned)
        .to_vec()
}

const fn default_interval() -> u64 {
    20
}

const fn one() -> u64 {
    1
}

/// A whole number; the environment has only text.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a whole number")]
    enum Written {
        Number(u64),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| serde::de::Error::custom(format!("“{text}” is not a whole number"))),
    }
}

fn maybe_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    number(from).map(Some)
}

/// True or false; the environment has only text.
fn maybe_flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "true or false")]
    enum Written {
        Flag(bool),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Flag(flag) => Ok(Some(flag)),
        Written::Text(text) => match text.trim() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(serde::de::Error::custom(format!(
                "“{text}” is neither true nor false"
            ))),
        },
    }
}

/// A list of words; the environment writes them with spaces between.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a list of words")]
    enum Written {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Written::deserialize(from)? {
        Written::List(list) => list,
        Written::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
    })
}

/// Reads `file` (or `slipway.toml` where there is one) and the environment, which wins.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    if let Some(file) = file
        && !file.is_file()
    {
        return Err(ConfigError(format!(
            "There is no configuration file {}. Name an existing one with --config or SLIPWAY_CONFIG.",
            file.display()
        )));
    }
    let file = file.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|file| file.is_file()));
    let written = file.map_or_else(Figment::new, |file| Figment::from(Toml::file_exact(file)));
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    read(written, variables)
}

fn read(
    file: Figment,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    // Only the first problem is told: later ones often follow from it.
    file.merge(Environment::of(variables))
        .extract()
        .map_err(|errors| {
            errors.into_iter().next().map_or_else(
                || ConfigError("The configuration cannot be read.".to_owned()),
                |error| sentence(&error),
            )
        })
}

/// What figment found, as a sentence.
fn sentence(error: &figment::Error) -> ConfigError {
    let place = error
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.source.as_ref())
        .map(|source| format!(" in {source}"))
        .unwrap_or_default();
    let path = error.path.join(".");
    let within = if path.is_empty() {
        String::new()
    } else {
        format!("{path}.")
    };
    match &error.kind {
        Kind::MissingField(field) => ConfigError::of(
            &format!("{within}{field}"),
            "is missing. Add it to slipway.toml.",
        ),
        Kind::UnknownField(field, known) => {
            // The path already ends with the unknown field.
            let setting = if path.is_empty() { field } else { &path };
            ConfigError(format!(
                "Slipway knows no setting {setting}{place}. The settings there are: {}.",
                known.join(", ")
            ))
        }
        Kind::InvalidType(found, expected) => {
            ConfigError::of(&path, format!("must be {expected}, but is {found}{place}."))
        }
        _ if path.is_empty() => ConfigError(format!(
            "The configuration cannot be read{place}: {}. Correct it and start again.",
            one_line(&error.kind.to_string())
        )),
        kind => ConfigError::of(
            &path,
            format!("cannot be used{place}: {}.", one_line(&kind.to_string())),
        ),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Config {
    /// Where it should listen; for tools that talk to it.
    pub fn listen(&self) -> Result<SocketAddr, ConfigError> {
        self.listen.parse().map_err(|_| {
            ConfigError::of(
                "listen",
                format!(
                    "must be an address and a port such as 127.0.0.1:8400, but is “{}”.",
                    self.listen
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests;
