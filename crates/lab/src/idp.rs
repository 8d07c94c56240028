//! The identity provider: its configuration, its process, and the people of the lab.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use url::Url;

use crate::record::{Oidc, Person};
use crate::secrets::Secrets;
use crate::{disk, processes};

const CLIENT_ID: &str = "slipway";
const UP_WITHIN: Duration = Duration::from_secs(30);

/// A running provider; it ends when dropped, or when the lab is gone (its standard input closes).
pub struct IdentityProvider {
    child: Child,
    /// Held open: the provider ends when it closes.
    _stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl IdentityProvider {
    /// Starts the provider for consoles at `consoles` (origins) and returns once it listens. Port 0 takes a free one.
    pub async fn start(
        dir: &Path,
        assets: &Path,
        port: u16,
        consoles: &[Url],
        secrets: &Secrets,
    ) -> Result<(Self, Oidc)> {
        if !assets.join("node_modules/oidc-provider").exists() {
            bail!(
                "the identity provider's packages are missing: run `npm ci` in {}",
                assets.display()
            );
        }
        if consoles.is_empty() {
            bail!("nobody could sign in: name at least one console, such as http://127.0.0.1:8400");
        }
        let people = people();
        let folder = dir.join("idp");
        let config = folder.join("config.json");
        let settings = settings(&folder, port, consoles, secrets, &people)?;
        disk::write(&config, settings.to_string().as_bytes(), 0o600)?;
        let log = folder.join("log");
        let output = std::fs::File::create(&log)
            .with_context(|| format!("{} could not be made", log.display()))?;
        let mut child = Command::new("node")
            .arg(assets.join("idp.mjs"))
            .arg(&config)
            .env(processes::MARK, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .context("`node` could not be started: install Node.js 20 or later")?;
        let stdin = child.stdin.take();
        let issuer = tokio::time::timeout(UP_WITHIN, issuer(&mut child))
            .await
            .ok()
            .flatten()
            .with_context(|| {
                let said = disk::read(&log).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default();
                format!(
                    "the identity provider did not start ({}): {last}",
                    log.display()
                )
            })?;
        let oidc = Oidc {
            issuer,
            client_id: CLIENT_ID.to_owned(),
            client_secret: secrets.oidc_client_secret.clone(),
            people,
        };
        Ok((
            Self {
                child,
                _stdin: stdin,
                log,
            },
            oidc,
        ))
    }

    /// Returns when the provider has ended by itself, with a sentence about it.
    pub async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => {
                format!(
                    "the identity provider ended with {status}: see {}",
                    self.log.display()
                )
            }
            Err(error) => format!("the identity provider is lost: {error}"),
        }
    }
}

/// Reads the line in which the provider says that it listens; `None` when it ends before.
async fn issuer(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.next_line().await.ok()??;
    let said: serde_json::Value = serde_json::from_str(&line).ok()?;
    said["issuer"].as_str().map(str::to_owned)
}

fn settings(
    folder: &Path,
    port: u16,
    consoles: &[Url],
    secrets: &Secrets,
    people: &[Person],
) -> Result<serde_json::Value> {
    let at = |path: &str| -> Result<Vec<Url>> {
        consoles
            .iter()
            .map(|console| {
                console
                    .join(path)
                    .with_context(|| format!("{console} is no address of a console"))
            })
            .collect()
    };
    let logout = at("/auth/backchannel-logout")?;
    Ok(json!({
        "port": port,
        "jwks_file": folder.join("jwks.json"),
        "cookie_key": secrets.oidc_cookie_key,
        "client": {
            "id": CLIENT_ID,
            "secret": secrets.oidc_client_secret,
            "redirect_uris": at("/auth/callback")?,
            "post_logout_redirect_uris": at("/auth/signed-out")?,
            // A client has one such address; the first console gets the news.
            "backchannel_logout_uri": logout.first(),
        },
        "people": people,
    }))
}

/// One person for each role.
fn people() -> Vec<Person> {
    [
        (
            "maria",
            "Maria Keller",
            &["slipway-users", "team-payments"][..],
        ),
        (
            "omar",
            "Omar Haddad",
            &["slipway-users", "slipway-operators"][..],
        ),
        (
            "ada",
            "Ada Lindqvist",
            &["slipway-users", "slipway-approvers"][..],
        ),
        ("lena", "Lena Novak", &["slipway-users"][..]),
        (
            "alma",
            "Alma Okafor",
            &["slipway-users", "slipway-admins"][..],
        ),
    ]
    .into_iter()
    .map(|(login, name, groups)| Person {
        login: login.to_owned(),
        password: format!("{login}-lab"),
        name: name.to_owned(),
        email: format!("{login}@example.test"),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    })
    .collect()
}
