//! One rollout, from the request to its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::rollout::RolloutState;
use domain::strategy::parse_seconds;
use domain::verdict::Verdict;
use view::rollout::{BatchView, RolloutView};

use super::browser::{Browser, Sent};
use super::journey::{Journey, PRODUCTION};
use super::report::RolledOut;
use super::settings::TIME_SCALE;
use crate::record::Artifact;

/// Three batches.
pub const SPLIT: &str = "33/33/34%";
/// A little more than a verdict takes, for telemetry that comes late.
const BAKE: &str = "26h";
const BATCHES: u64 = 3;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How a rollout is expected to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
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

/// A rollout that was released.
pub struct Started {
    /// Of its page.
    path: String,
    refused_to_requester: Option<String>,
}

impl Journey<'_> {
    /// Requests a rollout, has it approved where the environment asks for that, and releases it.
    pub async fn start(&self, artifact: &Artifact, environment: &str) -> Result<Started> {
        let path = self.request(artifact, environment, SPLIT, BAKE).await?;
        let refused_to_requester = if environment == PRODUCTION {
            let why = self.requester_cannot_approve(&path).await?;
            self.press(&self.ada, &path, "approve").await?;
            self.say(&self.ada, "approves exactly this plan");
            Some(why)
        } else {
            None
        };
        self.press(&self.omar, &path, "release").await?;
        self.say(
            &self.omar,
            &format!("releases batch 1 of {}", artifact.version),
        );
        Ok(Started {
            path,
            refused_to_requester,
        })
    }

    /// Watches what was started to its end.
    pub async fn finish(&self, started: Started, end: End) -> Result<RolledOut> {
        let Started {
            path,
            refused_to_requester,
        } = started;
        let view = self.follow(&path, end).await?;
        let id = view.row.id.to_string();
        let hosts = self
            .lena
            .read_all("rollout/hosts", &[("id", &id)], "cursor")
            .await?;
        Ok(RolledOut {
            view,
            hosts,
            refused_to_requester,
        })
    }

    /// The team member fills the form in, looks at the preview, and sends it; gives the rollout's page.
    pub async fn request(
        &self,
        artifact: &Artifact,
        environment: &str,
        split: &str,
        bake: &str,
    ) -> Result<String> {
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
            ("environment", environment),
            ("version", version),
            ("artifact", file),
            ("sha256", sha256),
            ("split", split),
            ("bake", bake),
            ("gate", "automatic"),
            (
                "reason",
                &format!("Release {version} of {}.", self.record.service.slug),
            ),
        ] {
            form.set(&format!("input[{name}]"), value)?;
        }
        let previewed = maria.look(PAGE, &form, "/api/rollout/look").await?;
        if let Some(why) = previewed.error() {
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
                        "requests {version} to {environment}: {split}, each batch watched for {bake}"
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
    pub async fn press(&self, browser: &Browser, path: &str, action: &str) -> Result<()> {
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
    pub async fn follow(&self, path: &str, end: End) -> Result<RolloutView> {
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
            // Nobody will come to decide; only evidence may still come by itself.
            let lacks_evidence = |batch: &BatchView| {
                let verdict = batch.verdict.as_ref();
                verdict.is_some_and(|verdict| verdict.outcome.lacks_evidence())
            };
            let stuck = view
                .batches
                .iter()
                .find(|batch| match batch.state.as_str() {
                    "gate" => !lacks_evidence(batch),
                    state => state == "held",
                });
            if let Some(batch) = stuck {
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
                &format!(
                    "{} batch {} {}{verdict}",
                    view.row.version,
                    batch.number,
                    spoken(&batch.state)
                ),
            );
        }
    }
}

pub fn is_over(state: &str) -> bool {
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
