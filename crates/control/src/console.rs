//! The console: everything the pages, the API and the reconcilers work with.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use domain::{
    Timestamp,
    id::{TeamId, UserId},
    rollout::{Change, Effect},
    team::Team,
    text::Slug,
};
use integrations::{
    ansible, datadog, file,
    output::{S3, Shelf},
    supervisor::{Launcher, OutputRules},
};
use policy::{Grant, Kind, Permit, Resource, Role, Scope, Subject, SystemAction};
use secrecy::SecretString;
use store::Store;
use tokio::sync::{Notify, RwLock, broadcast, watch};
use url::Url;
use uuid::Uuid;
use view::error::ApiError;

use crate::{
    Clock, Error, Seal, Signal, log::Outputs, reconcile, refusal::Refusals, telemetry::Charts,
};

/// Where telemetry comes from.
#[derive(Debug, Clone)]
pub struct DatadogSettings {
    pub base_url: Url,
    pub api_key: SecretString,
    pub app_key: SecretString,
    /// Seconds between two points of a short query.
    pub interval_seconds: u64,
}

/// Members of a sign-on group hold a role, everywhere or for one team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// Of the provider whose group it is; `None` where it is not known which there are.
    pub issuer: Option<String>,
    pub group: String,
    pub role: Role,
    pub team: Option<Slug>,
}

/// A [`RoleRule`] whose team is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub issuer: Option<String>,
    pub group: String,
    pub grant: Grant,
}

impl Rule {
    /// Whether it is about who this provider says to belong to these groups.
    pub fn is_for(&self, issuer: &str, groups: &[String]) -> bool {
        let known = self.issuer.as_deref();
        known.is_none_or(|known| known == issuer) && groups.contains(&self.group)
    }
}

/// How many jobs run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// On this server; more than [`Self::NOT_FOR_DEPLOYS`].
    pub at_once: u32,
    pub deploys_in_environment: u32,
    /// Bytes that have to be free in the data folder: a run that cannot write there fails where it is, on its hosts.
    pub least_free: u64,
}

impl JobLimits {
    /// Places that deploys leave free, for what brings hosts back.
    pub const NOT_FOR_DEPLOYS: u32 = 2;
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            at_once: 8,
            deploys_in_environment: 8,
            least_free: 100 << 20,
        }
    }
}

/// What becomes of the output of jobs.
#[derive(Debug, Clone, Default)]
pub struct OutputSettings {
    /// Outputs of rollouts that ended are kept so long, and so large together; for ever where neither is given.
    pub keep_days: Option<u32>,
    pub keep_bytes: Option<u64>,
    /// How much of one output is stored, and what of it is masked.
    pub rules: OutputRules,
    /// Where outputs are sealed into; the data folder when `None`.
    pub s3: Option<S3>,
}

/// What the console needs to know about its installation.
#[derive(Debug, Clone)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub database_url: String,
    pub artifacts_dir: PathBuf,
    pub ansible: ansible::Settings,
    pub datadog: Option<DatadogSettings>,
    pub jobs: JobLimits,
    pub outputs: OutputSettings,
    /// How much faster than planned bakes run; 1 in earnest.
    pub time_scale: u64,
    pub role_rules: Vec<RoleRule>,
    /// The program whose `supervise` subcommand watches one attempt.
    pub supervisor_exe: PathBuf,
    /// Name under which this process claims jobs; the same after a restart.
    pub worker: String,
    /// Seals secrets; `None` for commands that neither keep nor use any.
    pub seal: Option<Seal>,
}

/// Everything the pages, the API and the reconcilers work with. Cheap to clone.
#[derive(Clone)]
pub struct Console {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub settings: Settings,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub datadog: Option<datadog::Client>,
    pub signals: broadcast::Sender<Signal>,
    pub outputs: Outputs,
    pub shelf: Shelf,
    pub charts: Charts,
    /// The role rules, with the ids of their teams.
    pub rules: OnceLock<Vec<Rule>>,
    /// Held for reading while files of a commit are taken, and for writing while some are rewritten.
    pub projects: Arc<RwLock<()>>,
    pub launcher: Arc<Launcher>,
    pub refusals: Refusals,
    /// Wakes the job reconciler; rung by the threads that wait for supervisors, too.
    pub jobs_due: Arc<Notify>,
    /// Wakes the rollout reconciler.
    pub rollouts_due: Notify,
    /// Wakes the judge.
    pub looks_due: Notify,
    /// Wakes the outbox reconciler.
    pub outbox_due: Notify,
}

/// A use case on behalf of somebody.
#[derive(Clone)]
pub struct Ctx {
    pub(crate) console: Console,
    pub(crate) subject: Subject,
}

impl Console {
    /// Opens the database and makes sure that the teams of the role rules exist.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let store = Store::open(&settings.database_url).await?;
        Self::with(store, settings, clock).await
    }

    /// As [`Self::open`], beside a server of the same version that works on the database.
    pub async fn open_beside(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let store = Store::open_beside(&settings.database_url).await?;
        Self::with(store, settings, clock).await
    }

    async fn with(store: Store, settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let datadog = settings
            .datadog
            .as_ref()
            .map(|datadog| {
                datadog::Client::new(
                    datadog.base_url.clone(),
                    datadog.api_key.clone(),
                    datadog.app_key.clone(),
                )
            })
            .transpose()
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let shelf = Shelf::new(
            settings.data_dir.join("outputs"),
            settings.outputs.s3.clone(),
        )
        .map_err(|error| Error::Unavailable(error.to_string()))?;
        let launcher = Launcher::new(settings.supervisor_exe.clone());
        let inner = Inner {
            settings,
            store,
            clock,
            datadog,
            signals: broadcast::channel(1024).0,
            outputs: Outputs::default(),
            shelf,
            charts: Charts::default(),
            rules: OnceLock::new(),
            projects: Arc::default(),
            launcher: Arc::new(launcher),
            refusals: Refusals::default(),
            jobs_due: Arc::default(),
            rollouts_due: Notify::new(),
            looks_due: Notify::new(),
            outbox_due: Notify::new(),
        };
        let console = Self {
            inner: Arc::new(inner),
        };
        let rules = console.resolve_rules().await?;
        // Nobody else has it yet, so this is the first time.
        let _ = console.inner.rules.set(rules);
        Ok(console)
    }

    /// Refuses a data folder other than the one this database was used with before: what still runs for the database is
    /// only known there, and would be taken for lost.
    pub async fn claim_data_folder(&self) -> Result<(), Error> {
        let folder = &self.inner.settings.data_dir;
        let path = folder.join("installation");
        let unusable = |why: &dyn std::fmt::Display| {
            Error::Unavailable(format!(
                "{} cannot be used: {why}. Let the user who runs Slipway read and write it.",
                path.display()
            ))
        };
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().parse::<i64>().map_err(|why| unusable(&why))?),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => None,
            Err(why) => return Err(unusable(&why)),
        };
        let drawn = kept.is_none().then(|| number(self.mint()));
        let store = &self.inner.store;
        let Some(known) = store.installation(drawn).await? else {
            return Err(Error::Unavailable(format!(
                "The database is a new one, and the data folder {} belongs to another: with this one, all that was recorded would seem never to have been. Set database_url (SLIPWAY_DATABASE_URL) to the database that was used here, or restore its backup. To begin anew, move the folder away and start Slipway again.",
                folder.display()
            )));
        };
        // Before the first job nothing runs that could be taken for lost: the process may have ended between the two.
        let begins = kept.is_none() && !store.has_jobs().await?;
        if Some(known) != kept.or(drawn) && !begins {
            return Err(Error::Unavailable(format!(
                "The data folder {} is not the one that this database was used with, and playbooks that still run there would be taken for lost. Is its disk mounted? Set data_dir (SLIPWAY_DATA_DIR) to that folder. If it is gone for good, write {known} into {} and start Slipway again.",
                folder.display(),
                path.display()
            )));
        }
        if kept.is_none() {
            let text = format!("{known}\n");
            file::replace(&path, text.as_bytes()).map_err(|why| unusable(&why))?;
        }
        Ok(())
    }

    /// Makes sure that the teams of the role rules exist.
    async fn resolve_rules(&self) -> Result<Vec<Rule>, Error> {
        let mut rules = Vec::new();
        for rule in &self.inner.settings.role_rules {
            let resolved = |team| Rule {
                issuer: rule.issuer.clone(),
                group: rule.group.clone(),
                grant: Grant::new(rule.role, team),
            };
            let Some(slug) = &rule.team else {
                rules.push(resolved(None));
                continue;
            };
            let name = slug.as_str().parse()?;
            let team = Team {
                id: TeamId(self.mint()),
                slug: slug.clone(),
                name,
            };
            let permit = self.system(
                SystemAction::SIGN_IN,
                Resource::new(Kind::Team, team.id, &team.slug),
            );
            let id = self.store().ensure_team(&permit, &team, self.now()).await?;
            rules.push(resolved(Some(id)));
        }
        Ok(rules)
    }

    /// A use case on behalf of `subject`.
    pub fn ctx(&self, subject: Subject) -> Ctx {
        Ctx {
            console: self.clone(),
            subject,
        }
    }

    /// Hears of everything that moves from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Signal> {
        self.inner.signals.subscribe()
    }

    /// Whether the database answers.
    pub async fn ready(&self) -> Result<(), ApiError> {
        self.store()
            .ping()
            .await
            .map_err(|error| self.api(error.into()))
    }

    /// How much faster than planned bakes run; 1 in earnest.
    pub fn time_scale(&self) -> u64 {
        self.settings().time_scale
    }

    /// Runs the reconcilers until `stop` turns true. Playbooks under way go on without them.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        reconcile::run(self, stop).await;
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn mint(&self) -> Uuid {
        self.inner.clock.mint()
    }

    pub(crate) fn system(&self, action: SystemAction, resource: Resource) -> Permit {
        policy::system_permit(action, resource)
    }

    pub(crate) fn api(&self, error: Error) -> ApiError {
        error.into_api(|| self.mint().to_string())
    }

    /// Tells pages and reconcilers. Nobody listening is fine.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = self.inner.signals.send(signal);
    }

    /// Wakes the reconcilers for which a change that was committed has something to do. Others would only take time from
    /// what is to start now.
    pub(crate) fn wake_for(&self, change: &Change) {
        for effect in &change.effects {
            match effect {
                Effect::QueueJob(_) => self.inner.jobs_due.notify_one(),
                // One that was still queued has ended.
                Effect::CancelJob(_) => self.wake_for_jobs(),
                Effect::Notify(_) => self.inner.outbox_due.notify_one(),
                Effect::MarkHosts { .. } | Effect::RecordDeployment(_) => {}
            }
        }
        if change
            .rollout
            .wake_at()
            .is_some_and(|due| due <= self.now())
        {
            self.inner.rollouts_due.notify_one();
            self.inner.looks_due.notify_one();
        }
    }

    /// Wakes those that run jobs and take in their ends.
    pub(crate) fn wake_for_jobs(&self) {
        self.inner.jobs_due.notify_one();
        self.inner.rollouts_due.notify_one();
    }

    /// How long a point of telemetry stands for, in seconds.
    pub fn interval_seconds(&self) -> u64 {
        self.settings()
            .datadog
            .as_ref()
            .map_or(10, |datadog| datadog.interval_seconds.max(1))
    }
}

impl Ctx {
    /// The person or token on whose behalf this runs.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(crate) const fn user(&self) -> UserId {
        self.subject.user
    }

    pub(crate) fn store(&self) -> &Store {
        self.console.store()
    }

    pub(crate) fn scope(&self) -> Result<Scope, Error> {
        Ok(policy::scope(&self.subject)?)
    }

    pub(crate) fn permit(
        &self,
        action: policy::Action,
        resource: Resource,
    ) -> Result<Permit, Error> {
        Ok(policy::permit(&self.subject, action, resource)?)
    }

    /// Runs a use case and says what went wrong as a person reads it.
    pub(crate) async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ApiError> {
        match work.await {
            Ok(done) => Ok(done),
            Err(Error::Denied(denied)) => Err(self.refused(denied).await),
            Err(error) => Err(self.console.api(error)),
        }
    }
}

/// A number as unlike others as the id.
fn number(id: Uuid) -> i64 {
    let (high, low) = id.as_u64_pair();
    (high ^ low).cast_signed()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use testkit::{Database, World};

    use crate::testing::console;

    #[tokio::test]
    async fn another_data_folder_is_refused() {
        let world = World::new(Database::sqlite().await, 3).await;
        let console = console(&world, Router::new()).await;
        let folder = &console.settings().data_dir;
        std::fs::create_dir_all(folder).unwrap();
        console.claim_data_folder().await.unwrap();
        console.claim_data_folder().await.unwrap();
        let file = folder.join("installation");
        let known = std::fs::read_to_string(&file).unwrap();
        // The process may have ended before it wrote the file; nothing has run yet.
        std::fs::remove_file(&file).unwrap();
        console.claim_data_folder().await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), known);

        world.released("1.1.0").await;
        std::fs::remove_file(&file).unwrap();
        let refused = console.claim_data_folder().await.unwrap_err().to_string();
        assert!(refused.contains(known.trim()), "{refused}");
        assert!(!file.exists());
        std::fs::write(&file, "17").unwrap();
        assert!(console.claim_data_folder().await.is_err());
        std::fs::write(&file, "seventeen").unwrap();
        assert!(console.claim_data_folder().await.is_err());
        std::fs::write(&file, known).unwrap();
        console.claim_data_folder().await.unwrap();
    }
}
