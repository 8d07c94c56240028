//! From a typed form to a plan with a digest.

use domain::{
    budget::FailureBudget,
    change_request::{ChangeRequest, ChangeRequestState},
    environment::{Approval, Environment},
    host::Host,
    id::{ChangeRequestId, RolloutId},
    partition::Split,
    plan::{Intent, Plan},
    release::{Artifact, ArtifactSource, Release},
    rollout::Rollout,
    selection::{Selection, Tags},
    service::Service,
    strategy::{Strategy, Tolerance, parse_bakes, parse_seconds},
    text::{FieldError, Reason, Sha256},
};
use policy::{Action, Permit};
use store::{NewRollout, RolloutFilter, Standing};
use view::{
    access::Allowance,
    error::ApiError,
    input::RolloutInput,
    rollout::{PlanPreview, PreviewBatch, PreviewHost, RolloutForm, spread},
};

use crate::{Ctx, Error, automation, rollout, service};

/// Open rollouts that a preview names.
const OPEN: u32 = 5;

/// A form that was understood.
struct Drafted {
    permit: Permit,
    service: Service,
    environment: Environment,
    hosts: Vec<Host>,
    plan: Plan,
    digest: Sha256,
}

fn blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn strategy(input: &RolloutInput) -> Result<Strategy, FieldError> {
    let split: Split = input.split.parse()?;
    let bake_seconds = parse_bakes(&input.bake, split.batches())?;
    let gate = input.gate.parse()?;
    let mut tolerance = Tolerance::default();
    if !blank(&input.latency_tolerance) {
        tolerance.latency_percent = input.latency_tolerance.trim().parse().map_err(|_| {
            FieldError::new(
                "latency_tolerance",
                "Give the allowed growth of latency as a whole number of per cent, such as “5”.",
            )
        })?;
    }
    if !blank(&input.error_tolerance) {
        let refuse = || {
            FieldError::new(
                "error_tolerance",
                "Give the allowed growth of the error rate in percentage points between 0 and 100, such as “0.5”.",
            )
        };
        let points: f64 = input.error_tolerance.trim().parse().map_err(|_| refuse())?;
        if !(0.0..=100.0).contains(&points) {
            return Err(refuse());
        }
        tolerance.error_basis_points = (points * 100.0).round() as u32;
    }
    let gate_seconds = if blank(&input.gate_wait) {
        86_400
    } else {
        parse_seconds("gate_wait", &input.gate_wait)?
    };
    let mut failures = FailureBudget::default();
    if !blank(&input.failures) {
        failures.limit = input.failures.parse()?;
    }
    if !blank(&input.beyond) {
        failures.beyond = input.beyond.parse()?;
    }
    Ok(Strategy {
        split,
        bake_seconds,
        gate,
        tolerance,
        failures,
        gate_seconds,
    })
}

fn selection(input: &RolloutInput) -> Result<Selection, FieldError> {
    Ok(Selection {
        limit: input.limit.parse()?,
        tags: Tags::read("tags", &input.tags)?,
        skip_tags: Tags::read("skip_tags", &input.skip_tags)?,
    })
}

impl Ctx {
    /// The artefact with its checksum: a file is read and must match what was typed, an address needs a checksum.
    async fn artifact(&self, input: &RolloutInput) -> Result<Artifact, Error> {
        if blank(&input.artifact) {
            return Err(FieldError::new(
                "artifact",
                "Give the artefact: the playbooks of this service unpack one.",
            )
            .into());
        }
        let source: ArtifactSource = input.artifact.parse()?;
        let typed: Option<Sha256> = if blank(&input.sha256) {
            None
        } else {
            Some(input.sha256.parse()?)
        };
        let sha256 = match (&source, typed) {
            (ArtifactSource::Url(_), Some(typed)) => typed,
            (ArtifactSource::Url(_), None) => return Err(FieldError::new("sha256", "An artefact that hosts download needs its SHA-256, so that they can refuse another one.").into()),
            (ArtifactSource::File(file), typed) => {
                let path = self.console.settings().artifacts_dir.join(file);
                if !path.is_file() {
                    return Err(FieldError::new("artifact", format!("There is no file “{file}” in the artefact folder. Put it there, or give an https:// address.")).into());
                }
                let found = tokio::task::spawn_blocking(move || automation::file_digest(&path)).await.map_err(|error| Error::Internal(error.to_string()))??;
                if let Some(typed) = typed
                    && typed != found
                {
                    return Err(FieldError::new("sha256", format!("The checksum does not fit: “{file}” has {found}. Take the artefact and its checksum from the same build.")).into());
                }
                found
            }
        };
        Ok(Artifact { source, sha256 })
    }

    async fn release(&self, input: &RolloutInput, service: &Service) -> Result<Release, Error> {
        let none = blank(&input.artifact) && service.playbooks.go_without_artifact();
        let artifact = match none {
            true if blank(&input.sha256) => None,
            true => {
                let message = "There is a checksum, but no artefact it belongs to. Give the artefact, or leave both out.";
                return Err(FieldError::new("artifact", message).into());
            }
            false => Some(self.artifact(input).await?),
        };
        let commit = input.commit.trim();
        if commit.len() > 64 || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(FieldError::new(
                "commit",
                "Give the commit as its hexadecimal id, or leave it out.",
            )
            .into());
        }
        Ok(Release {
            version: input.version.parse()?,
            artifact,
            commit: (!commit.is_empty()).then(|| commit.to_owned()),
        })
    }

    async fn understand(&self, input: &RolloutInput) -> Result<Drafted, Error> {
        let scope = self.scope()?;
        if blank(&input.service) {
            return Err(FieldError::new("service", "Choose a service.").into());
        }
        if blank(&input.environment) {
            return Err(FieldError::new("environment", "Choose an environment.").into());
        }
        let service = self.store().service(&scope, input.service.trim()).await?;
        let environment = self
            .store()
            .environment(&scope, input.environment.trim())
            .await?;
        // Before the artefact is read: that takes long, and what is said of it is not for everybody.
        let permit = self.permit(
            Action::RequestRollout,
            service::resource(&service).in_environment(environment.id),
        )?;
        let strategy = strategy(input)?.check(
            self.console.interval_seconds(),
            self.console.settings().time_scale,
        )?;
        let release = self.release(input, &service).await?;
        let hosts = self
            .store()
            .hosts_in_group(
                &scope,
                environment.id,
                service.installation.host_group.as_str(),
            )
            .await?;
        if hosts.is_empty() {
            let group = &service.installation.host_group;
            return Err(FieldError::new("environment", format!("No host of {} is in the group “{group}” that {} runs on. Import hosts of that group first.", environment.name, service.name)).into());
        }
        let (automation, playbooks) = self.playbooks_of(&service).await?;
        let variables = self
            .store()
            .variables_for(&scope, service.id, environment.id)
            .await?;
        let intent = Intent {
            service: service.id,
            service_slug: service.slug.clone(),
            environment: environment.id,
            environment_slug: environment.slug.clone(),
            release,
            installation: service.installation.clone(),
            automation,
            selection: selection(input)?.check(&playbooks)?,
            playbooks,
            strategy,
            variables,
        };
        let plan = Plan::resolve(intent, &hosts)?;
        let digest = plan.digest()?;
        Ok(Drafted {
            permit,
            service,
            environment,
            hosts,
            plan,
            digest,
        })
    }

    /// What the form for a new rollout offers this person.
    pub async fn rollout_form(&self) -> Result<RolloutForm, ApiError> {
        self.answer(async {
            let scope = self.scope()?;
            let mut services = Vec::new();
            let mut refused = self.allowance(
                Action::RequestRollout,
                policy::Resource::new(policy::Kind::Rollout, "", ""),
            );
            for service in self.store().services_all(&scope).await? {
                let allowance = self.allowance(Action::RequestRollout, service::resource(&service));
                if allowance.allowed() {
                    services.push((service.slug.to_string(), service.name.to_string()));
                } else {
                    refused = allowance;
                }
            }
            let environments = self
                .store()
                .environments(&scope)
                .await?
                .into_iter()
                .map(|row| (row.slug, row.name))
                .collect();
            let (may_request, artifacts) = if services.is_empty() {
                (refused, Vec::new())
            } else {
                (Allowance::Allowed, self.artifacts())
            };
            Ok(RolloutForm {
                services,
                environments,
                artifacts,
                idempotency_key: self.console.mint().to_string(),
                may_request,
            })
        })
        .await
    }

    /// Names of the newest files in the artefact folder; empty when it cannot be read.
    fn artifacts(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(&self.console.settings().artifacts_dir) else {
            return Vec::new();
        };
        let mut files: Vec<_> = folder
            .filter_map(Result::ok)
            .filter(|entry| entry.path().is_file())
            .filter_map(|entry| {
                Some((
                    entry.metadata().ok()?.modified().ok()?,
                    entry.file_name().into_string().ok()?,
                ))
            })
            .filter(|(_, name)| name.parse::<ArtifactSource>().is_ok())
            .collect();
        files.sort();
        files
            .into_iter()
            .rev()
            .take(50)
            .map(|(_, name)| name)
            .collect()
    }

    /// What a new rollout would do. Nothing is written.
    pub async fn preview(&self, input: RolloutInput) -> Result<PlanPreview, ApiError> {
        self.answer(async {
            let drafted = self.understand(&input).await?;
            let planned = drafted.plan.batches.iter().flat_map(|batch| &batch.hosts);
            let ids: Vec<_> = planned.map(|host| host.id).collect();
            let installed = self.store().installed(&self.scope()?, &ids).await?;
            let runs = |id| {
                let seen = installed.get(&id).into_iter().flatten();
                seen.clone()
                    .find(|(service, _)| drafted.service.slug.as_str() == service.as_str())
                    .map(|(_, version)| version.as_str())
            };
            let filter = RolloutFilter {
                service: Some(drafted.service.id),
                environment: Some(drafted.environment.id),
                standing: Some(Standing::Open),
            };
            let open = self
                .store()
                .rollouts(&self.scope()?, &filter, None, OPEN)
                .await?
                .items;
            let host = |id| drafted.hosts.iter().find(|host| host.id == id);
            let batches = drafted
                .plan
                .batches
                .iter()
                .map(|batch| PreviewBatch {
                    number: batch.number,
                    bake_seconds: batch.bake_seconds,
                    hosts: batch
                        .hosts
                        .iter()
                        .filter_map(|planned| host(planned.id))
                        .map(|host| PreviewHost {
                            name: host.name.to_string(),
                            criticality: host.criticality,
                            failure_domain: host.failure_domain.clone(),
                            runs: runs(host.id).map(str::to_owned),
                        })
                        .collect(),
                })
                .collect();
            Ok(PlanPreview {
                digest: drafted.digest.to_string(),
                service: drafted.service.name.to_string(),
                environment: drafted.environment.name.to_string(),
                version: drafted.plan.release.version.to_string(),
                runs: spread(ids.iter().map(|id| runs(*id))),
                approval: drafted.environment.approval == Approval::Required,
                open,
                playbooks: (&drafted.plan.playbooks).into(),
                selection: (&drafted.plan.selection).into(),
                variables: drafted.plan.variables.iter().map(Into::into).collect(),
                batches,
            })
        })
        .await
    }

    /// Makes a rollout: a draft with its change request where approval is required, which is submitted at once.
    pub async fn request(&self, input: RolloutInput) -> Result<RolloutId, ApiError> {
        self.answer(async {
            let reason: Reason = input.reason.parse()?;
            let drafted = self.understand(&input).await?;
            let permit = drafted.permit;
            let now = self.console.now();
            let id = RolloutId(self.console.mint());
            let rollout = Rollout::draft(id, drafted.plan, drafted.digest.clone(), self.user());
            let approval = drafted.environment.approval;
            let event = if approval == Approval::Required { domain::rollout::Event::Submit } else { domain::rollout::Event::Schedule };
            let mut change = rollout.apply(event, permit.actor(), &mut self.console.moment(&mut || self.console.mint()))?;
            for note in &mut change.notes {
                note.reason = format!("{reason} {}", note.reason).trim_end().to_owned();
            }
            // Also without approval the request says why, so that nobody has to guess later.
            let change_request = ChangeRequest {
                id: ChangeRequestId(self.console.mint()),
                rollout: id,
                digest: drafted.digest,
                reason,
                requested_by: self.user(),
                requested_by_name: self.subject.name.clone(),
                state: match approval {
                    Approval::Required => ChangeRequestState::Submitted { at: now },
                    Approval::NotRequired => ChangeRequestState::Approved { by: super::NOBODY.to_owned(), at: now },
                },
            };
            let key = input.idempotency_key.trim();
            let new = NewRollout {
                change: &change,
                change_request: Some(&change_request),
                requested_by_name: &self.subject.name,
                team: drafted.service.team,
                created_at: now,
                idempotency_key: (!key.is_empty()).then_some(key),
            };
            let id = self.store().rollout_insert(&permit, new).await?;
            tracing::info!(rollout = %id, name = %rollout::name(&change.rollout), "a rollout was requested");
            self.console.signal(crate::Signal::Rollout(id));
            self.console.wake_for(&change);
            Ok(id)
        })
        .await
    }
}
