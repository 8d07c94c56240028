//! Projects: playbooks kept in Git, which are fetched on request and run as a plan fixed them.

mod pinned;

use std::path::{Path, PathBuf};

use domain::{
    id::ProjectId,
    project::{
        FetchedCommit, PlannedPlaybooks, PlannedProject, PlaybookPaths, Playbooks, Project,
        ProjectSource,
    },
    service::Service,
    text::{FieldError, Sha256},
};
use integrations::{
    ansible,
    git::{Access, CommitId, Git, Source},
};
use policy::{Action, Kind, Permit, Resource, SystemAction};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::StoreError;
use tokio::task::spawn_blocking;
use view::{
    error::ApiError,
    input::{PlaybooksInput, ProjectInput},
    project::ProjectList,
};

use pinned::used;
pub(crate) use pinned::{Pinned, on_disk};

use crate::{Console, Ctx, Error, automation, error::invalid, service};

/// How a form names the playbooks for the Datadog agent. No project is called so: its short name has no underscore.
const DATADOG: &str = "datadog_agent";

/// What shows that we may read a project; sealed as one.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Secrets {
    /// For https.
    token: Option<String>,
    private_key: Option<String>,
    /// Content of a `known_hosts` file, for ssh.
    known_hosts: String,
}

impl Ctx {
    /// Every project.
    pub async fn projects(&self) -> Result<ProjectList, ApiError> {
        self.answer(async {
            let items = self.store().projects(&self.scope()?).await?;
            let may_manage =
                self.allowance(Action::ManageProjects, Resource::new(Kind::Project, "", ""));
            Ok(ProjectList { items, may_manage })
        })
        .await
    }

    /// Adds a project, or changes the one of this short name, and fetches it. What cannot be fetched is kept all the same,
    /// with the reason: a host that is down now is up later.
    pub async fn set_project(&self, input: ProjectInput) -> Result<String, ApiError> {
        self.answer(async {
            let slug = input.slug.parse()?;
            let known = match self
                .store()
                .project(&self.scope()?, input.slug.trim())
                .await
            {
                Ok(known) => Some(known),
                Err(StoreError::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let id = known
                .as_ref()
                .map_or_else(|| ProjectId(self.console.mint()), |known| known.id);
            let permit = self.permit(
                Action::ManageProjects,
                Resource::new(Kind::Project, id, &input.slug),
            )?;
            let (source, secrets) = read(&input)?;
            let same = known
                .as_ref()
                .filter(|known| known.source.url == source.url);
            let project = Project {
                id,
                slug,
                name: input.name.parse()?,
                fetched: same.and_then(|known| known.fetched.clone()),
                source,
            };
            let sealed = match secrets {
                Some(secrets) => Some(self.console.seal_project(id, &secrets)?),
                // Nothing typed leaves what is there, but never for another address: it would be told our token.
                None if same.is_some() => self.store().project_access(&permit, id).await?,
                None => None,
            };
            let now = self.console.now();
            self.store()
                .project_set(&permit, &project, sealed.as_deref(), now)
                .await?;
            self.console.fetch(&permit, &project).await?;
            Ok("/projects".to_owned())
        })
        .await
    }

    /// Fetches what the project's revision names now.
    pub async fn fetch_project(&self, slug: String) -> Result<String, ApiError> {
        self.answer(async {
            let project = self.store().project(&self.scope()?, slug.trim()).await?;
            let permit = self.permit(
                Action::ManageProjects,
                Resource::new(Kind::Project, project.id, &project.slug),
            )?;
            self.console.fetch(&permit, &project).await?;
            Ok("/projects".to_owned())
        })
        .await
    }

    /// Has a service run other playbooks; gives its page.
    pub async fn choose_playbooks(&self, input: PlaybooksInput) -> Result<String, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let service = self.store().service(&scope, input.service.trim()).await?;
            let permit = self.permit(Action::ConfigureService, service::resource(&service))?;
            let playbooks = match input.playbooks.trim() {
                "" => Playbooks::Release,
                DATADOG => Playbooks::DatadogAgent,
                slug => Playbooks::Project(self.store().project(&scope, slug).await?.id),
            };
            let name = self.told(playbooks).await?;
            let before = self.told(service.playbooks).await?;
            let now = self.console.now();
            self.store()
                .service_playbooks(&permit, service.id, playbooks, &name, &before, now)
                .await?;
            Ok(format!("/services/{}", service.slug))
        })
        .await
    }

    /// What people call playbooks.
    async fn told(&self, playbooks: Playbooks) -> Result<String, Error> {
        Ok(match playbooks {
            Playbooks::Release => "the playbooks that come with Slipway".to_owned(),
            Playbooks::DatadogAgent => "Slipway's playbooks for the Datadog agent".to_owned(),
            Playbooks::Project(id) => {
                let project = self.store().project_by_id(&self.scope()?, id).await?;
                format!("the playbooks of the project {}", project.name)
            }
        })
    }

    /// The word of [`PlaybooksInput`] for what a service runs, and every choice with its name.
    pub(crate) async fn playbook_choices(
        &self,
        service: &Service,
    ) -> Result<(String, Vec<(String, String)>), Error> {
        let scope = self.scope()?;
        let chosen = match service.playbooks {
            Playbooks::Release => String::new(),
            Playbooks::DatadogAgent => DATADOG.to_owned(),
            Playbooks::Project(id) => self.store().project_by_id(&scope, id).await?.slug.into(),
        };
        let own = [
            (String::new(), "Slipway's own, for a release".to_owned()),
            (
                DATADOG.to_owned(),
                "Slipway's own, for the Datadog agent".to_owned(),
            ),
        ];
        let projects = self.store().projects(&scope).await?.into_iter();
        let projects = projects.map(|row| (row.slug, format!("Project {}", row.name)));
        Ok((chosen, own.into_iter().chain(projects).collect()))
    }

    /// The playbooks a new rollout of a service will run, with their digest.
    pub(crate) async fn playbooks_of(
        &self,
        service: &Service,
    ) -> Result<(Sha256, PlannedPlaybooks), Error> {
        let planned = match service.playbooks {
            Playbooks::Release => PlannedPlaybooks::Release,
            Playbooks::DatadogAgent => PlannedPlaybooks::DatadogAgent,
            Playbooks::Project(id) => {
                planned(self.store().project_by_id(&self.scope()?, id).await?)?
            }
        };
        let project = self.console.checked_out(&planned).await?;
        Ok((digest(&project, &planned).await?, planned))
    }
}

impl Console {
    fn git(&self) -> Git {
        Git::new(self.settings().data_dir.join("projects/repositories"))
    }

    async fn fetch(&self, permit: &Permit, project: &Project) -> Result<(), Error> {
        let source = self.source(permit, project.id, &project.source).await?;
        let found = self.git().fetch(&source).await;
        let now = self.now();
        let result = match found {
            Ok(commit) => Ok(FetchedCommit {
                commit: commit.id.to_string(),
                subject: commit.subject,
                authored_at: commit.authored,
                fetched_at: now,
            }),
            Err(error) => Err(error.to_string()),
        };
        let result = result.as_ref().map_err(String::as_str);
        Ok(self
            .store()
            .project_fetched(permit, project.id, result, now)
            .await?)
    }

    /// The playbooks of a plan as files: where Slipway's own are, or the plan's commit, which is fetched if it has to be.
    pub(crate) async fn checked_out(
        &self,
        planned: &PlannedPlaybooks,
    ) -> Result<ansible::project::Project, Error> {
        use ansible::project::Project;
        let ours = &self.settings().ansible;
        let planned = match planned {
            PlannedPlaybooks::Release => return Ok(Project::shipped(ours)),
            PlannedPlaybooks::DatadogAgent => return Ok(Project::shipped_for_datadog(ours)),
            PlannedPlaybooks::Project(planned) => planned,
        };
        let commit: CommitId = planned.commit.parse().map_err(invalid("revision"))?;
        let into = self.checkouts().join(planned.id.to_string());
        let unavailable =
            |error: integrations::git::GitError| Error::Unavailable(error.to_string());
        let permit = self.system(
            SystemAction::RUN_JOB,
            Resource::new(Kind::Project, planned.id, &planned.name),
        );
        let there = into.join(commit.as_str());
        let dir = if there.is_dir() {
            used(&there, self.now().into());
            there
        } else {
            let source = self.source(&permit, planned.id, &planned.source).await?;
            match self.git().checkout(&source, &commit, &into).await {
                Ok(dir) => dir,
                // The folder of fetched repositories may have been lost; the host still has the commit.
                Err(_) => {
                    let source = Source {
                        revision: commit.as_str().parse().map_err(invalid("revision"))?,
                        ..source
                    };
                    self.git().fetch(&source).await.map_err(unavailable)?;
                    let checked_out = self.git().checkout(&source, &commit, &into).await;
                    checked_out.map_err(unavailable)?
                }
            }
        };
        project_in(&dir, &planned.source).map_err(Error::from)
    }

    async fn source(
        &self,
        permit: &Permit,
        id: ProjectId,
        source: &ProjectSource,
    ) -> Result<Source, Error> {
        let secrets = match self.store().project_access(permit, id).await? {
            None => Secrets::default(),
            Some(sealed) => {
                let plain = self.seal()?.open(&at(id), &sealed).ok();
                let secrets = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
                secrets.ok_or_else(|| Error::Unavailable("The key or token of the project does not open with the present secret_key. Give it again.".to_owned()))?
            }
        };
        let access = match secrets {
            Secrets {
                token: Some(token), ..
            } => Access::Token(token.into()),
            Secrets {
                private_key: Some(key),
                known_hosts,
                ..
            } => Access::Ssh {
                private_key: SecretString::from(key),
                known_hosts,
            },
            _ => Access::Public,
        };
        Ok(Source {
            url: source.url.parse().map_err(invalid("url"))?,
            revision: source.revision.parse().map_err(invalid("revision"))?,
            access,
        })
    }

    fn seal_project(&self, id: ProjectId, secrets: &Secrets) -> Result<String, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let plain = serde_json::to_vec(secrets).map_err(|error| failed(&error))?;
        let sealed = self.seal()?.seal(&at(id), &plain);
        sealed.map_err(|error| failed(&error))
    }
}

/// A project as it was fetched last.
pub(crate) fn planned(project: Project) -> Result<PlannedPlaybooks, FieldError> {
    let fetched = project.fetched.ok_or_else(|| {
        let name = &project.name;
        FieldError::new(
            "project",
            format!("The project {name} was not fetched yet. Fetch it first."),
        )
    })?;
    Ok(PlannedPlaybooks::Project(Box::new(PlannedProject {
        id: project.id,
        name: project.name,
        source: project.source,
        commit: fetched.commit,
    })))
}

/// Digest of the playbooks a plan was made with, to be compared before they run.
pub(crate) async fn digest(
    project: &ansible::project::Project,
    planned: &PlannedPlaybooks,
) -> Result<Sha256, Error> {
    let dir = project.dir.clone();
    let of_git = matches!(planned, PlannedPlaybooks::Project(_));
    spawn_blocking(move || {
        if of_git {
            automation::digest_whole(&dir)
        } else {
            automation::digest(&dir)
        }
    })
    .await
    .map_err(|error| Error::Internal(error.to_string()))?
}

fn project_in(dir: &Path, source: &ProjectSource) -> Result<ansible::project::Project, FieldError> {
    let PlaybookPaths {
        deploy,
        probe,
        roll_back,
    } = &source.playbooks;
    Ok(ansible::project::Project {
        root: dir.to_owned(),
        dir: match source.folder.as_str() {
            "" => dir.to_owned(),
            folder => dir.join(inside(folder)?),
        },
        playbooks: ansible::project::Playbooks {
            deploy: deploy.parse().map_err(invalid("deploy"))?,
            probe: probe.parse().map_err(invalid("probe"))?,
            roll_back: roll_back.parse().map_err(invalid("roll_back"))?,
        },
        allow_config: source.config == domain::project::ProjectConfig::Read,
    })
}

fn inside(folder: &str) -> Result<PathBuf, FieldError> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if folder.split('/').all(plain) {
        Ok(folder.into())
    } else {
        Err(FieldError::new(
            "folder",
            "Give the folder of the repository that holds the playbooks, such as “ansible”, or leave it empty for the root.",
        ))
    }
}

fn read(input: &ProjectInput) -> Result<(ProjectSource, Option<Secrets>), FieldError> {
    let or = |text: &str, default: &str| match text.trim() {
        "" => default.to_owned(),
        text => text.to_owned(),
    };
    let source = ProjectSource {
        url: input.url.trim().to_owned(),
        revision: or(&input.revision, "main"),
        folder: input.folder.trim().trim_matches('/').to_owned(),
        playbooks: PlaybookPaths {
            deploy: or(&input.deploy, "deploy.yml"),
            probe: or(&input.probe, "probe.yml"),
            roll_back: or(&input.roll_back, "rollback.yml"),
        },
        config: match input.config.trim() {
            "" => Default::default(),
            word => word.parse()?,
        },
    };
    // Nobody is told a project is kept that could never be fetched or run.
    source
        .url
        .parse::<integrations::git::GitUrl>()
        .map_err(invalid("url"))?;
    source
        .revision
        .parse::<integrations::git::Revision>()
        .map_err(invalid("revision"))?;
    project_in(Path::new("/"), &source)?;
    let given = |text: &str| {
        let text = text.replace("\r\n", "\n");
        (!text.trim().is_empty()).then_some(text)
    };
    let (token, private_key) = (given(&input.token), given(&input.private_key));
    if token.is_some() && private_key.is_some() {
        return Err(FieldError::new(
            "token",
            "Give a token for https, or a private key for ssh, not both.",
        ));
    }
    let secrets = (token.is_some() || private_key.is_some()).then(|| Secrets {
        token: token.map(|token| token.trim().to_owned()),
        private_key,
        known_hosts: input.known_hosts.replace("\r\n", "\n"),
    });
    Ok((source, secrets))
}

/// What the ciphertext of a project's secrets is bound to.
fn at(id: ProjectId) -> String {
    format!("project/{id}")
}
