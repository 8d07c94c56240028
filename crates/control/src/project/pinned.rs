//! The files of a commit: as they were when a plan was made, and gone when nobody uses them.

use std::{
    fs::{self, File, FileTimes},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use domain::{plan::Plan, project::PlannedPlaybooks};
use integrations::ansible::project::Project;
use tokio::{sync::OwnedRwLockReadGuard, task::spawn_blocking};

use super::digest;
use crate::{Console, Error};

/// Days after which the files of a commit go that nobody used.
const UNUSED_DAYS: u64 = 30;

/// The playbooks of a plan, which nobody rewrites while this is held.
pub(crate) struct Pinned {
    pub project: Project,
    /// Whether they are those the plan was made with, if that was looked at.
    same: Option<bool>,
    /// Of a commit's files.
    pub _reading: Option<OwnedRwLockReadGuard<()>>,
}

impl Pinned {
    /// Refuses playbooks that are no longer those the plan was made with.
    pub async fn refuse_others(&self, plan: &Plan) -> Result<(), Error> {
        let same = match self.same {
            Some(same) => same,
            None => digest(&self.project, &plan.playbooks).await? == plan.automation,
        };
        match same {
            true => Ok(()),
            false => Err(Error::Conflict("The playbooks are no longer those of the approved plan. Bring them back, or withdraw this rollout and request it again.".to_owned())),
        }
    }
}

impl Console {
    pub(super) fn checkouts(&self) -> PathBuf {
        self.settings().data_dir.join("projects/commits")
    }

    /// The playbooks of a plan, as they were when it was made: files of a commit that were changed since are written anew,
    /// once.
    pub(crate) async fn pinned(&self, plan: &Plan) -> Result<Pinned, Error> {
        match plan.playbooks {
            PlannedPlaybooks::Project(_) => self.pinned_commit(plan).await,
            PlannedPlaybooks::Release | PlannedPlaybooks::DatadogAgent => Ok(Pinned {
                project: self.checked_out(&plan.playbooks).await?,
                same: None,
                _reading: None,
            }),
        }
    }

    async fn pinned_commit(&self, plan: &Plan) -> Result<Pinned, Error> {
        let pinned = |project, same, reading| Pinned {
            project,
            same: Some(same),
            _reading: Some(reading),
        };
        let commits = &self.inner.projects;
        let reading = Arc::clone(commits).read_owned().await;
        let project = self.checked_out(&plan.playbooks).await?;
        if is_as_planned(plan, &project).await {
            return Ok(pinned(project, true, reading));
        }
        drop(reading);
        let writing = Arc::clone(commits).write_owned().await;
        let project = self.checked_out(&plan.playbooks).await?;
        // Another job may have done it meanwhile.
        if !is_as_planned(plan, &project).await {
            tracing::warn!(folder = %project.root.display(), "the files of a commit were changed; they are written anew");
            let removed = on_disk(move || fs::remove_dir_all(project.root)).await;
            removed.map_err(|error| {
                Error::Unavailable(format!(
                    "The files of the project's commit were changed on this server, and cannot be removed: {error}."
                ))
            })?;
        }
        let project = self.checked_out(&plan.playbooks).await?;
        let same = is_as_planned(plan, &project).await;
        Ok(pinned(project, same, writing.downgrade()))
    }

    /// Removes files of commits that nobody has used for a month; who wants them again has them fetched again.
    pub(crate) async fn clear_checkouts(&self) {
        let (folder, now) = (self.checkouts(), self.now().into());
        if let Err(error) = on_disk(move || clear_unused(&folder, now)).await {
            tracing::warn!(%error, "files of commits that nobody uses could not be removed");
        }
    }
}

/// Whether these are the playbooks a plan was made with; what cannot be read is not.
async fn is_as_planned(plan: &Plan, project: &Project) -> bool {
    let digest = digest(project, &plan.playbooks).await;
    digest.is_ok_and(|digest| digest == plan.automation)
}

/// Works with folders, away from what must not wait.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The time of a folder says when it was used last.
pub(super) fn used(folder: &Path, now: SystemTime) {
    let now = FileTimes::new().set_modified(now);
    // Where it cannot be written down, it may have to be fetched again.
    let _ = File::open(folder).and_then(|folder| folder.set_times(now));
}

fn clear_unused(checkouts: &Path, now: SystemTime) -> io::Result<()> {
    let list = |folder: &Path| match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect::<io::Result<Vec<_>>>(),
    };
    let longest = Duration::from_secs(UNUSED_DAYS * 24 * 3600);
    for project in list(checkouts)? {
        for commit in list(&project.path())? {
            let used = commit.metadata()?.modified()?;
            if now.duration_since(used).is_ok_and(|since| since > longest) {
                fs::remove_dir_all(commit.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_commit_go_when_nobody_used_them_for_a_month() {
        let folder = tempfile::tempdir().unwrap();
        let day = |day: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(day * 24 * 3600);
        clear_unused(&folder.path().join("none yet"), day(100)).unwrap();
        let at = |name: &str| folder.path().join("project").join(name);
        for (name, last) in [("old", 69), ("new", 71)] {
            fs::create_dir_all(at(name).join("roles")).unwrap();
            used(&at(name), day(last));
        }
        clear_unused(folder.path(), day(100)).unwrap();
        assert!(!at("old").exists() && at("new").exists());
    }
}
