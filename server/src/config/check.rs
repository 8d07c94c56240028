//! From the configuration as written to the one Slipway runs with.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use control::{
    AnsibleSettings, DatadogSettings, JobLimits, OutputRules, OutputSettings, RoleRule, S3, Seal,
    SecretKey, Settings,
};
use ipnet::IpNet;
use policy::Role;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use domain::{job::JobKind, text::Slug};
use integrations::ansible::check;

use super::{
    Config, ConfigError, DatadogConfig, JobsConfig, OidcConfig, OtherOidcConfig, OutputsConfig,
    RoleConfig, S3Config,
    address::{base_url, safe},
};

/// An identity provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// In addresses; the first is [`Oidc::MAIN`].
    pub name: String,
    /// As people choose it.
    pub title: String,
    pub issuer: Url,
    /// As written; providers compare it letter by letter.
    pub issuer_text: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    pub scopes: Vec<String>,
}

impl Oidc {
    /// Name of the first.
    pub const MAIN: &str = "main";
}

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Checked {
    pub listen: SocketAddr,
    /// How browsers reach the console; no path beyond `/`.
    pub base_url: Url,
    pub trusted_proxies: Vec<IpNet>,
    pub secret_key: SecretKey,
    /// At least one.
    pub oidc: Vec<Oidc>,
    /// Where the browser's files are, when not where `Leptos.toml` says.
    pub site_root: Option<PathBuf>,
    pub settings: Settings,
}

impl Config {
    /// Checks every setting that `slipway serve` needs.
    pub fn check(self) -> Result<Checked, ConfigError> {
        let listen = self.listen()?;
        let secret_key = secret_key(self.secret_key.as_ref())?;
        let base_url = base_url(self.base_url.as_deref(), listen)?;
        let oidc = providers(self.oidc.clone())?;
        let site_root = self.site_root.clone();
        let trusted_proxies = self.trusted_proxies.iter().map(|text| proxy(text));
        Ok(Checked {
            listen,
            base_url,
            trusted_proxies: trusted_proxies.collect::<Result<_, _>>()?,
            oidc,
            site_root,
            settings: Settings {
                seal: Some(Seal::new(&secret_key)),
                ..self.settings()?
            },
            secret_key,
        })
    }

    /// What commands need that open the database without serving anything.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        if self.time_scale == 0 {
            return Err(ConfigError::of(
                "time_scale",
                "must be 1 or more. Leave it out to bake for as long as planned.",
            ));
        }
        if self.worker.trim().is_empty() {
            return Err(ConfigError::of(
                "worker",
                "must not be empty. Leave it out, or name this process as it is named after a restart.",
            ));
        }
        let data_dir = absolute(&self.data_dir)?;
        let issuers = issuers(self.oidc.as_ref());
        Ok(Settings {
            database_url: match self.database_url {
                Some(url) => database_url(url)?,
                None => format!("sqlite://{}", data_dir.join("slipway.db").display()),
            },
            artifacts_dir: absolute(
                &self
                    .artifacts_dir
                    .unwrap_or_else(|| data_dir.join("artifacts")),
            )?,
            ansible: AnsibleSettings {
                playbook_bin: program(self.ansible.playbook_bin)?,
                project_dir: absolute(&self.ansible.project_dir)?,
                ssh_private_key: file("ansible.ssh_private_key", self.ansible.ssh_private_key)?,
                known_hosts: file("ansible.known_hosts", self.ansible.known_hosts)?,
                forks: within("ansible.forks", Some(self.ansible.forks), 1..=500)?.unwrap_or(1),
            },
            datadog: self.datadog.map(datadog).transpose()?,
            jobs: limits(self.jobs)?,
            outputs: outputs(self.outputs)?,
            time_scale: self.time_scale,
            role_rules: self
                .roles
                .into_iter()
                .enumerate()
                .map(|(at, rule)| role(at, rule, &issuers))
                .collect::<Result<_, _>>()?,
            // Survives that the binary is replaced by a newer one while this process runs.
            supervisor_exe: "/proc/self/exe".into(),
            worker: self.worker,
            seal: None,
            data_dir,
        })
    }
}

/// A proxy, or the network they are in.
fn proxy(text: &str) -> Result<IpNet, ConfigError> {
    let one = || text.parse().ok().map(|address: IpAddr| address.into());
    text.parse().ok().or_else(one).ok_or_else(|| {
        ConfigError::of(
            "trusted_proxies",
            format!("must hold addresses and networks such as 127.0.0.1 or 10.0.0.0/8, but holds “{text}”."),
        )
    })
}

/// A number that was written, if it is one of these.
fn within(
    setting: &str,
    written: Option<u64>,
    allowed: RangeInclusive<u32>,
) -> Result<Option<u32>, ConfigError> {
    let Some(number) = written else {
        return Ok(None);
    };
    match u32::try_from(number) {
        Ok(number) if allowed.contains(&number) => Ok(Some(number)),
        _ => Err(ConfigError::of(
            setting,
            format!(
                "must be between {} and {}, but is {number}.",
                allowed.start(),
                allowed.end()
            ),
        )),
    }
}

fn limits(jobs: JobsConfig) -> Result<JobLimits, ConfigError> {
    // Some places are closed to deploys, and one has to be open.
    let least = JobLimits::NOT_FOR_DEPLOYS + 1;
    let at_once = within("jobs.at_once", jobs.at_once, least..=100)?;
    let at_once = at_once.unwrap_or(JobLimits::default().at_once);
    let deploys = within(
        "jobs.deploys_in_environment",
        jobs.deploys_in_environment,
        1..=100,
    )?;
    let free = within(
        "jobs.least_free_megabytes",
        jobs.least_free_megabytes,
        0..=1_000_000,
    )?;
    let usual = JobLimits::default().least_free;
    Ok(JobLimits {
        at_once,
        deploys_in_environment: deploys.unwrap_or(at_once),
        least_free: free.map_or(usual, |megabytes| u64::from(megabytes) << 20),
    })
}

fn outputs(outputs: OutputsConfig) -> Result<OutputSettings, ConfigError> {
    let keep_days = within("outputs.keep_days", outputs.keep_days, 1..=36_500)?;
    let gigabytes = within(
        "outputs.keep_gigabytes",
        outputs.keep_gigabytes,
        1..=1_000_000,
    )?;
    let megabytes = within(
        "outputs.most_megabytes",
        outputs.most_megabytes,
        1..=1_000_000,
    )?;
    let usual = OutputRules::default();
    let rules = OutputRules {
        well_known: outputs.redact_well_known.unwrap_or(usual.well_known),
        patterns: outputs.redact,
        most_bytes: megabytes.map_or(usual.most_bytes, |megabytes| u64::from(megabytes) << 20),
    };
    rules
        .check()
        .map_err(|why| ConfigError::of("outputs.redact", format!("cannot be used: {why}")))?;
    Ok(OutputSettings {
        keep_days,
        keep_bytes: gigabytes.map(|gigabytes| u64::from(gigabytes) << 30),
        rules,
        s3: outputs.s3.map(s3).transpose()?,
    })
}

fn s3(config: S3Config) -> Result<S3, ConfigError> {
    if config.bucket.trim().is_empty() {
        return Err(ConfigError::of(
            "outputs.s3.bucket",
            "is empty. Name the bucket that outputs are sealed into, or leave [outputs.s3] out to keep them in the data folder.",
        ));
    }
    let keys = match (config.access_key_id, config.secret_access_key) {
        (Some(id), Some(secret)) => Some((id, secret)),
        (None, None) => None,
        _ => {
            return Err(ConfigError::of(
                "outputs.s3.secret_access_key",
                "and outputs.s3.access_key_id belong together. Give both, or neither for the role of this machine.",
            ));
        }
    };
    let endpoint = config.endpoint.as_deref();
    Ok(S3 {
        endpoint: endpoint
            .map(|url| safe("outputs.s3.endpoint", url))
            .transpose()?,
        region: config.region,
        bucket: config.bucket,
        prefix: config.prefix.trim_matches('/').to_owned(),
        keys,
    })
}

impl Checked {
    /// Checks that what runs jobs is on this machine.
    pub fn installed(&self) -> Result<(), ConfigError> {
        let ansible = &self.settings.ansible;
        if !executable(&ansible.playbook_bin) {
            return Err(ConfigError::of(
                "ansible.playbook_bin",
                format!(
                    "names {}, and there is no such program to run. Install ansible-core, or set it to the full path of ansible-playbook.",
                    ansible.playbook_bin.display()
                ),
            ));
        }
        for kind in [JobKind::Deploy, JobKind::Probe, JobKind::RollBack] {
            check::playbook(ansible, kind).map_err(|why| {
                ConfigError::of(
                    "ansible.project_dir",
                    format!("is {}. {why}", ansible.project_dir.display()),
                )
            })?;
        }
        Ok(())
    }
}

/// Whether there is such a program; a bare name is looked for in `PATH`, as when it is started.
fn executable(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = if program.is_absolute() {
        vec![program.to_path_buf()]
    } else {
        std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .collect()
    };
    places.iter().any(|place| {
        place
            .metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

fn secret_key(text: Option<&SecretString>) -> Result<SecretKey, ConfigError> {
    const MAKE_ONE: &str = "Make one with `openssl rand -base64 32`, keep it apart from the database, and give every process the same.";
    let Some(text) = text else {
        return Err(ConfigError::of(
            "secret_key",
            format!(
                "is missing; Slipway seals sessions and secrets with it and does not start without. {MAKE_ONE}"
            ),
        ));
    };
    let bytes = STANDARD
        .decode(text.expose_secret().trim())
        .unwrap_or_default();
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
        ConfigError::of(
            "secret_key",
            format!("must be 32 bytes in base64. {MAKE_ONE}"),
        )
    })?;
    if key.iter().all(|byte| *byte == key[0]) {
        return Err(ConfigError::of(
            "secret_key",
            format!("is not random. {MAKE_ONE}"),
        ));
    }
    Ok(SecretKey(key))
}

/// Names of providers, with their issuers as written.
fn issuers(config: Option<&OidcConfig>) -> Vec<(String, String)> {
    let Some(config) = config else {
        return Vec::new();
    };
    let others = config.others.iter();
    std::iter::once((Oidc::MAIN.to_owned(), config.issuer.clone()))
        .chain(others.map(|other| (other.name.clone(), other.issuer.clone())))
        .collect()
}

/// Every provider, the first one first.
fn providers(config: Option<OidcConfig>) -> Result<Vec<Oidc>, ConfigError> {
    let Some(config) = config else {
        return Err(ConfigError::of(
            "oidc.issuer",
            "is missing, and people sign in through an identity provider only. Add a section [oidc] with issuer, client_id and client_secret to slipway.toml.",
        ));
    };
    let OidcConfig {
        issuer,
        client_id,
        client_secret,
        scopes,
        title,
        others,
    } = config;
    let main = OtherOidcConfig {
        name: Oidc::MAIN.to_owned(),
        issuer,
        client_id,
        client_secret,
        scopes,
        title,
    };
    let mut providers: Vec<Oidc> = vec![oidc("oidc", main)?];
    for (at, other) in others.into_iter().enumerate() {
        let section = format!("oidc.others[{at}]");
        let name = other.name.parse::<Slug>();
        let twice = providers.iter().any(|known| known.name == other.name);
        if name.is_err() || twice {
            return Err(ConfigError(format!(
                "The setting {section}.name has to be short, lower-case and of this provider alone (the one of [oidc] is called {}), such as “contractors”.",
                Oidc::MAIN
            )));
        }
        if providers
            .iter()
            .any(|known| known.issuer_text == other.issuer)
        {
            return Err(ConfigError(format!(
                "The setting {section}.issuer is that of another provider already. Leave one of them out."
            )));
        }
        providers.push(oidc(&section, other)?);
    }
    Ok(providers)
}

fn oidc(section: &str, config: OtherOidcConfig) -> Result<Oidc, ConfigError> {
    if config.client_id.trim().is_empty() {
        return Err(ConfigError::of(
            &format!("{section}.client_id"),
            "must not be empty. Register Slipway with your identity provider and copy the client id it gives.",
        ));
    }
    if !config.scopes.iter().any(|scope| scope == "openid") {
        return Err(ConfigError::of(
            &format!("{section}.scopes"),
            "must contain openid, which makes the provider say who signed in.",
        ));
    }
    let issuer = safe(&format!("{section}.issuer"), &config.issuer)?;
    let host = || issuer.host_str().unwrap_or("the provider").to_owned();
    Ok(Oidc {
        name: config.name,
        title: config.title.unwrap_or_else(host),
        issuer,
        issuer_text: config.issuer,
        client_id: config.client_id,
        client_secret: config.client_secret,
        scopes: config.scopes,
    })
}

fn role(
    at: usize,
    rule: RoleConfig,
    issuers: &[(String, String)],
) -> Result<RoleRule, ConfigError> {
    let setting = |field| format!("roles[{at}].{field}");
    let Some(role) = Role::ALL
        .iter()
        .copied()
        .find(|role| role.word() == rule.role)
    else {
        let known: Vec<_> = Role::ALL.iter().map(|role| role.word()).collect();
        return Err(ConfigError(format!(
            "The setting {} is “{}”, which is no role. Choose one of: {}.",
            setting("role"),
            rule.role,
            known.join(", ")
        )));
    };
    if rule.group.trim().is_empty() {
        return Err(ConfigError(format!(
            "The setting {} must name a group of your identity provider.",
            setting("group")
        )));
    }
    let team = rule
        .team
        .map(|team| team.parse())
        .transpose()
        .map_err(|error| {
            ConfigError(format!(
                "The setting {} cannot be used: {error}",
                setting("team")
            ))
        })?;
    if team.is_none() && role.needs_team() {
        return Err(ConfigError(format!(
            "The setting {} is missing: members and owners belong to a team. Name the team by its short name, such as “payments”.",
            setting("team")
        )));
    }
    let issuer = match (&rule.provider, issuers) {
        (Some(name), _) => {
            let found = issuers.iter().find(|(known, _)| known == name);
            let known: Vec<&str> = issuers.iter().map(|(name, _)| name.as_str()).collect();
            let issuer = found.map(|(_, issuer)| issuer.clone()).ok_or_else(|| {
                ConfigError(format!(
                    "The setting {} is “{name}”, which is no provider. Choose one of: {}.",
                    setting("provider"),
                    known.join(", ")
                ))
            })?;
            Some(issuer)
        }
        (None, []) => None,
        (None, [(_, only)]) => Some(only.clone()),
        (None, _) => {
            return Err(ConfigError(format!(
                "The setting {} is missing: with several identity providers each rule belongs to one, because they may call different groups by one name. The one of [oidc] is called {}.",
                setting("provider"),
                Oidc::MAIN
            )));
        }
    };
    Ok(RoleRule {
        issuer,
        group: rule.group,
        role,
        team,
    })
}

fn datadog(config: DatadogConfig) -> Result<DatadogSettings, ConfigError> {
    let base_url = match (config.url, config.site) {
        (Some(url), None) => safe("datadog.url", &url)?,
        (None, Some(site)) => safe("datadog.site", &format!("https://api.{site}"))?,
        (None, None) => {
            return Err(ConfigError::of(
                "datadog.site",
                "is missing. Set it to your Datadog site, such as datadoghq.eu.",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(ConfigError::of(
                "datadog.url",
                "stands beside datadog.site. Keep one of the two.",
            ));
        }
    };
    if config.interval_seconds == 0 {
        return Err(ConfigError::of(
            "datadog.interval_seconds",
            "must be 1 or more. Leave it out for Datadog's own interval of 20 seconds.",
        ));
    }
    Ok(DatadogSettings {
        base_url,
        api_key: header_key("datadog.api_key", config.api_key)?,
        app_key: header_key("datadog.app_key", config.app_key)?,
        interval_seconds: config.interval_seconds,
    })
}

/// A key that can be sent in a header.
fn header_key(setting: &str, key: SecretString) -> Result<SecretString, ConfigError> {
    let text = key.expose_secret();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(key)
    } else {
        Err(ConfigError::of(
            setting,
            "is empty or holds a space, a line break or another character no key has. Copy it from Datadog once more.",
        ))
    }
}

fn database_url(url: String) -> Result<String, ConfigError> {
    if ["sqlite:", "postgres:", "postgresql:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        Ok(url)
    } else {
        Err(ConfigError::of(
            "database_url",
            "must begin with sqlite:// or postgres://. Leave it out to keep a database file in the data folder.",
        ))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(|why| {
        ConfigError(format!(
            "The path {} cannot be used: {why}.",
            path.display()
        ))
    })
}

/// A bare name is looked up in `PATH` when it is started; anything else is a path.
fn program(path: PathBuf) -> Result<PathBuf, ConfigError> {
    if path.components().count() > 1 {
        absolute(&path)
    } else {
        Ok(path)
    }
}

fn file(setting: &str, path: Option<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    let Some(path) = path else { return Ok(None) };
    let path = absolute(&path)?;
    if path.is_file() {
        Ok(Some(path))
    } else {
        Err(ConfigError::of(
            setting,
            format!(
                "names {}, and there is no such file. Correct the path.",
                path.display()
            ),
        ))
    }
}
