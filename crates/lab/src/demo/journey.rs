//! What the people of the demo do, one after the other, on the console's own pages.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use domain::rollout::RolloutState;
use domain::strategy::parse_seconds;
use domain::verdict::Verdict;
use url::Url;
use view::delivery::DeliveryView;
use view::environment::{EnvironmentList, EnvironmentView};
use view::page::Page;
use view::rollout::{HostCell, RolloutView};
use view::service::ServiceList;

use super::browser::{Browser, Sent};
use super::report::{Report, RolledOut};
use super::settings::{TEAM, TIME_SCALE};
use super::{Narrator, inventory};
use crate::record::{Artifact, Record};

const PRODUCTION: &str = "production";
const SPLIT: &str = "33/33/34%";
const BAKE: &str = "48h";
const BATCHES: u64 = 3;

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The seconds of the past a batch is compared with.
const BASELINE_SECONDS: i64 = 30;
const BASELINE_WITHIN: Duration = Duration::from_secs(60);

/// The people, signed in.
pub struct Journey<'a> {
    record: &'a Record,
    console: Url,
    narrator: Narrator,
    maria: Browser,
    omar: Browser,
    ada: Browser,
    /// Only looks on.
    lena: Browser,
}

/// How a rollout is expected to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeded,
    RolledBack,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled_back",
        }
    }
}

impl<'a> Journey<'a> {
    /// Signs everybody in.
    pub async fn begin(record: &'a Record, console: &Url, narrator: Narrator) -> Result<Self> {
        narrator.say("people", "sign in through the identity provider");
        let sign_in = async |login: &str| {
            let person = record
                .oidc
                .people
                .iter()
                .find(|person| person.login == login);
            Browser::sign_in(
                console,
                person.ok_or_else(|| anyhow!("the lab knows nobody called {login}"))?,
            )
            .await
        };
        let (maria, omar, ada, lena) = tokio::try_join!(
            sign_in("maria"),
            sign_in("omar"),
            sign_in("ada"),
            sign_in("lena")
        )?;
        Ok(Self {
            record,
            console: console.clone(),
            narrator,
            maria,
            omar,
            ada,
            lena,
        })
    }

    /// The operator adds what environments are missing and imports their hosts.
    pub async fn import(&self) -> Result<()> {
        let known: EnvironmentList = self.omar.read("environment/list", &[]).await?;
        for (slug, name, purpose, approval) in [
            ("dev", "Development", "development", "not_required"),
            (PRODUCTION, "Production", "production", "required"),
        ] {
            if !known
                .items
                .iter()
                .any(|environment| environment.slug == slug)
            {
                let values = [
                    ("slug", slug),
                    ("name", name),
                    ("purpose", purpose),
                    ("approval", approval),
                ];
                self.omar
                    .fill("/environments", "/api/environment/add", &values)
                    .await?;
            }
            let Some(text) = inventory::of(self.record, slug) else {
                continue;
            };
            let page = format!("/environments/{slug}");
            self.omar
                .fill(&page, "/api/host/import", &[("inventory", &text)])
                .await?;
            let imported: EnvironmentView = self
                .omar
                .read("environment/show", &[("slug", slug)])
                .await?;
            let expected = self
                .record
                .hosts
                .iter()
                .filter(|host| host.environment == slug)
                .count();
            if usize::try_from(imported.environment.hosts).ok() != Some(expected) {
                bail!(
                    "{} hosts were imported into {slug}, but the page shows {}",
                    expected,
                    imported.environment.hosts
                );
            }
            self.say(&self.omar, &format!("imports {expected} hosts into {slug}"));
        }
        Ok(())
    }

    /// The team member brings the service in.
    pub async fn onboard(&self) -> Result<()> {
        let service = &self.record.service;
        let known: ServiceList = self.maria.read("service/list", &[]).await?;
        if known
            .page
            .items
            .iter()
            .any(|known| known.slug == service.slug)
        {
            return Ok(());
        }
        let metric = |space: &str, name: &str, count: &str| {
            format!(
                "{space}:slipway_demo.{name}{{service:{},env:{{env}}}} by {{host}}{count}",
                service.slug
            )
        };
        let values = [
            ("team", TEAM.to_owned()),
            ("slug", service.slug.clone()),
            ("name", "Checkout".to_owned()),
            ("description", "Takes orders and payments.".to_owned()),
            (
                "repository",
                "https://git.example.test/payments/checkout".to_owned(),
            ),
            ("host_group", service.slug.clone()),
            ("install_root", format!("/opt/{}", service.slug)),
            ("health_port", service.health_port.to_string()),
            ("health_path", "/health".to_owned()),
            ("requests", metric("sum", "requests", ".as_count()")),
            ("errors", metric("sum", "errors", ".as_count()")),
            ("latency", metric("avg", "latency_ms", "")),
            ("liveness", metric("sum", "up", "")),
        ];
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.maria
            .fill("/services/new", "/api/service/onboard", &values)
            .await?;
        self.say(
            &self.maria,
            &format!("brings the service {} in for team {TEAM}", service.slug),
        );
        Ok(())
    }

    /// Everything: the service is onboarded, a good release goes out, a bad one is rolled back by itself.
    pub async fn run(&self) -> Result<Report> {
        self.onboard().await?;
        self.until_baseline().await?;
        let artifacts = &self.record.artifacts;
        let before = &artifacts.baseline.version;
        let good = self
            .roll_out(&artifacts.good, before, End::Succeeded)
            .await?;
        let bad = self
            .roll_out(&artifacts.bad, &artifacts.good.version, End::RolledBack)
            .await?;
        self.report(vec![good, bad]).await
    }

    /// Waits until telemetry knows every production host for as long as a batch is compared with.
    async fn until_baseline(&self) -> Result<()> {
        let hosts = self
            .record
            .hosts
            .iter()
            .filter(|host| host.environment == PRODUCTION)
            .count();
        let datadog = &self.record.datadog;
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()?;
        let known = async || -> Result<usize> {
            let now = jiff::Timestamp::now().as_second();
            // The newest second is still half-filled, and one or two more may be under way.
            let (from, to) = ((now - BASELINE_SECONDS - 10).to_string(), now.to_string());
            let query = format!("sum:slipway_demo.up{{env:{PRODUCTION}}} by {{host}}");
            let answer = client
                .get(format!("{}/api/v1/query", datadog.url))
                .header("DD-API-KEY", &datadog.api_key)
                .header("DD-APPLICATION-KEY", &datadog.app_key)
                .query(&[("from", from), ("to", to), ("query", query)]);
            let answer: serde_json::Value = answer.send().await?.error_for_status()?.json().await?;
            let long_enough = |series: &&serde_json::Value| {
                series["pointlist"]
                    .as_array()
                    .and_then(|points| i64::try_from(points.len()).ok())
                    >= Some(BASELINE_SECONDS)
            };
            Ok(answer["series"]
                .as_array()
                .map_or(0, |series| series.iter().filter(long_enough).count()))
        };
        let deadline = Instant::now() + BASELINE_WITHIN;
        loop {
            let found = known()
                .await
                .context("the lab's telemetry does not answer")?;
            if found == hosts {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "only {found} of {hosts} hosts reported for {BASELINE_SECONDS} s within {} s, too little to compare with",
                    BASELINE_WITHIN.as_secs()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// From the request to the end.
    async fn roll_out(&self, artifact: &Artifact, before: &str, end: End) -> Result<RolledOut> {
        let path = self.request(artifact).await?;
        let refused_to_requester = self.requester_cannot_approve(&path).await?;
        self.press(&self.ada, &path, "approve").await?;
        self.say(&self.ada, "approves exactly this plan");
        self.press(&self.omar, &path, "release").await?;
        self.say(&self.omar, "releases batch 1");
        let view = self.follow(&path, end).await?;
        let hosts = self.hosts_of(&view).await?;
        Ok(RolledOut {
            view,
            hosts,
            version_before: before.to_owned(),
            refused_to_requester,
        })
    }

    /// The team member fills the form in, looks at the preview, and sends it; gives the rollout's page.
    async fn request(&self, artifact: &Artifact) -> Result<String> {
        const PAGE: &str = "/rollouts/new";
        const ACTION: &str = "/api/rollout/request";
        let Artifact {
            version,
            file,
            sha256,
        } = artifact;
        let file = file
            .file_name()
            .and_then(|name| name.to_str())
            .context("the artefact's file has no name")?;
        let maria = &self.maria;
        let mut form = maria.form(&maria.open(PAGE).await?, PAGE, ACTION)?;
        for (name, value) in [
            ("service", self.record.service.slug.as_str()),
            ("environment", PRODUCTION),
            ("version", version),
            ("artifact", file),
            ("sha256", sha256),
            ("split", SPLIT),
            ("bake", BAKE),
            ("gate", "automatic"),
            (
                "reason",
                &format!("Release {version} of {}.", self.record.service.slug),
            ),
        ] {
            form.set(&format!("input[{name}]"), value)?;
        }
        let previewed = maria.preview(PAGE, &form).await?;
        if let Some(why) = previewed.complaint() {
            bail!(
                "the preview of {version} was refused to {}: {why}",
                maria.who
            );
        }
        // The preview comes back with everything typed.
        let form = maria.form(&previewed, PAGE, ACTION)?;
        match maria.send(PAGE, &form).await? {
            Sent::Accepted(path) => {
                self.say(
                    maria,
                    &format!(
                        "requests {version} to {PRODUCTION}: {SPLIT}, each batch watched for {BAKE}"
                    ),
                );
                Ok(path)
            }
            Sent::Refused(why) => bail!(
                "the request for {version} came back to {}: {why}",
                maria.who
            ),
        }
    }

    /// Sees that the requester finds the button disabled, and that the form is refused all the same when it is sent.
    async fn requester_cannot_approve(&self, path: &str) -> Result<String> {
        let maria = &self.maria;
        let form = maria.form(&maria.open(path).await?, path, "/api/rollout/approve")?;
        let Some(why) = form.refused().map(str::to_owned) else {
            bail!(
                "the page {path} offers {}, who requested the rollout, to approve it",
                maria.who
            );
        };
        match maria.send(path, &form).await? {
            Sent::Accepted(_) => bail!("{} could approve what she requested herself", maria.who),
            Sent::Refused(_) => self.say(maria, &format!("cannot approve: {why}")),
        }
        Ok(why)
    }

    /// Presses a button of the rollout's page that asks for nothing more.
    async fn press(&self, browser: &Browser, path: &str, action: &str) -> Result<()> {
        let next = browser
            .fill(path, &format!("/api/rollout/{action}"), &[])
            .await?;
        if next == path {
            Ok(())
        } else {
            bail!("after {action} on {path} the console went on to {next}")
        }
    }

    /// Watches a rollout to its end.
    async fn follow(&self, path: &str, end: End) -> Result<RolloutView> {
        let id = path.rsplit('/').next().unwrap_or_default();
        let within = self.patience()?;
        let deadline = Instant::now() + within;
        let mut told: BTreeMap<u32, String> = BTreeMap::new();
        loop {
            let view: RolloutView = self.lena.read("rollout/show", &[("id", id)]).await?;
            self.tell_batches(&view, &mut told);
            let state = view.row.state.as_str();
            if state == end.word() {
                return Ok(view);
            }
            let version = &view.row.version;
            if is_over(state) {
                bail!(
                    "the rollout of {version} ended as {}, not {}: {}",
                    spoken(state),
                    spoken(end.word()),
                    view.sentence
                );
            }
            // Nobody will come to decide.
            if let Some(batch) = view
                .batches
                .iter()
                .find(|batch| matches!(batch.state.as_str(), "gate" | "held"))
            {
                let verdict = batch
                    .verdict
                    .as_ref()
                    .map(Verdict::to_string)
                    .unwrap_or_default();
                bail!(
                    "batch {} of {version} waits for a person: {} {verdict}",
                    batch.number,
                    batch.message
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "the rollout of {version} was waited for {} s and is not {}; it is {}: {}",
                    within.as_secs(),
                    spoken(end.word()),
                    spoken(state),
                    view.sentence
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The bakes, and a generous time for deploying to every host and back.
    fn patience(&self) -> Result<Duration> {
        let bake = parse_seconds("bake", BAKE)? / TIME_SCALE;
        let hosts = u64::try_from(self.record.hosts.len()).unwrap_or(u64::MAX);
        Ok(Duration::from_secs(
            BATCHES * bake + 150 + hosts.saturating_mul(4),
        ))
    }

    fn tell_batches(&self, view: &RolloutView, told: &mut BTreeMap<u32, String>) {
        for batch in &view.batches {
            let before = told.insert(batch.number, batch.state.clone());
            if before.as_ref() == Some(&batch.state) || batch.state == "pending" {
                continue;
            }
            // What ended the bake.
            let verdict = batch
                .verdict
                .as_ref()
                .filter(|_| before.as_deref() == Some("baking"));
            let verdict = verdict
                .map(|verdict| format!(": {verdict}"))
                .unwrap_or_default();
            self.narrator.say(
                "Slipway",
                &format!("batch {} {}{verdict}", batch.number, spoken(&batch.state)),
            );
        }
    }

    async fn hosts_of(&self, view: &RolloutView) -> Result<Vec<HostCell>> {
        let id = view.row.id.to_string();
        self.pages("rollout/hosts", &[("id", &id)]).await
    }

    /// Every item of a list, page by page.
    async fn pages<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        arguments: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut arguments = arguments.to_vec();
            arguments.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.lena.read(what, &arguments).await?;
            items.extend(page.items);
            cursor = match page.next {
                Some(next) => Some(next),
                None => return Ok(items),
            };
        }
    }

    async fn report(&self, rolled_out: Vec<RolledOut>) -> Result<Report> {
        let delivery: DeliveryView = self.lena.read("delivery/show", &[("days", "1")]).await?;
        let audit: Vec<view::audit::AuditRow> = self.pages("audit/list", &[]).await?;
        let running = super::health::ask(self.record).await?;
        Ok(Report::new(
            self.record,
            &self.console,
            rolled_out,
            &delivery,
            audit.len(),
            running,
            self.narrator.elapsed(),
        ))
    }

    fn say(&self, browser: &Browser, what: &str) {
        self.narrator.say(&browser.who, what);
    }
}

fn is_over(state: &str) -> bool {
    let waits = [
        "draft",
        "awaiting_approval",
        "scheduled",
        "running",
        "paused",
        "rolling_back",
        "aborting",
    ];
    RolloutState::WORDS.contains(&state) && !waits.contains(&state)
}

/// A stored word as people say it.
pub fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_over_when_nothing_more_happens() {
        for state in [
            "succeeded",
            "rolled_back",
            "rollback_failed",
            "aborted",
            "rejected",
        ] {
            assert!(is_over(state), "{state}");
        }
        for state in ["running", "rolling_back", "scheduled", "unheard of"] {
            assert!(!is_over(state), "{state}");
        }
    }
}
