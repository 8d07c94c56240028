//! Projects kept in Git: from a branch, a tag or a commit to a folder of plain files.
//!
//! This is done by the `git` program and not by gix or libgit2: those take minutes to compile, and bring an SSH and a
//! TLS of their own, with other ideas of host keys, keys and proxies than the ones the playbooks are run with.
//!
//! Nothing of a repository is ever run or obeyed: there are no hooks, no filters, no submodules, no attributes and no
//! working tree. The files are read as objects and written by us.

mod export;
mod keys;
mod names;
mod words;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use domain::text::Sha256;
use jiff::Timestamp;
use keys::Keys;
pub use names::{CommitId, GitNameError, GitUrl, Revision};
use secrecy::SecretString;
use tokio::{process::Command, task::spawn_blocking};
use words::{refusal, said};

use crate::{
    file,
    process::{self, Bounds, Failure},
};

/// How a repository is fetched.
#[derive(Debug, Clone)]
pub struct Git {
    /// A path, or a name to be found in `PATH`.
    pub program: PathBuf,
    /// Where fetched repositories are kept; absolute.
    pub cache: PathBuf,
    /// Whether a repository may be a folder of this machine, as in tests.
    pub allow_folders: bool,
}

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Source {
    pub url: GitUrl,
    pub revision: Revision,
    pub access: Access,
}

/// What shows that we may read it.
#[derive(Debug, Clone, Default)]
pub enum Access {
    #[default]
    Public,
    Ssh {
        /// Without a passphrase.
        private_key: SecretString,
        /// Content of a `known_hosts` file; other hosts are refused.
        known_hosts: String,
    },
    /// For https.
    Token(SecretString),
}

/// A commit that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: CommitId,
    pub authored: Timestamp,
    /// First line of the message, at most 200 characters.
    pub subject: String,
}

/// Why a project could not be had. Nothing was left half-done.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("Git is not installed: there is no {program}. Install it (`apt-get install git`).", program = .0.display())]
    Missing(PathBuf),
    #[error(
        "The host of {url} cannot be reached: {why} See that the address is right and that this machine reaches it."
    )]
    Down { url: GitUrl, why: String },
    #[error(
        "There is no repository at {url}, or it is not shown to us: {why} Check the address, and what the key or token may read."
    )]
    NotFound { url: GitUrl, why: String },
    #[error(
        "{url} does not let us in: {why} Check the key or the token, and that it may read the repository."
    )]
    Refused { url: GitUrl, why: String },
    #[error(
        "The host of {0} is not known. Add its key to the known hosts of the project; `ssh-keyscan HOST` prints it, and whoever runs the host can confirm it."
    )]
    HostKey(GitUrl),
    #[error("{url} has no branch, tag or commit “{revision}”.")]
    Unknown { url: GitUrl, revision: Revision },
    #[error(
        "{url} gave no answer within {seconds} s. Try again; if it happens again, see that the repository is not too large."
    )]
    Slow { url: GitUrl, seconds: u64 },
    #[error("{url} is too large: more than {megabytes} MB are fetched. Keep playbooks in a repository of their own.", megabytes = FETCHED >> 20)]
    Heavy { url: GitUrl },
    #[error("Commit {commit} has {files} files; at most {most} are taken. Keep playbooks in a repository of their own.", most = MOST_FILES)]
    ManyFiles { commit: CommitId, files: usize },
    #[error("Commit {commit} has files of {megabytes} MB; at most {most} MB are taken. Keep playbooks in a repository of their own.", most = MOST_BYTES >> 20)]
    Large { commit: CommitId, megabytes: u64 },
    #[error(
        "Commit {commit} has a link {path} that leads out of the project or nowhere. Remove it, or make it lead to a file of the project."
    )]
    Link { commit: CommitId, path: String },
    #[error("Commit {commit} has a file with the name {path}, which no file may have. Rename it.")]
    Path { commit: CommitId, path: String },
    #[error("{0} is a folder of this machine. Give the address of a Git host.")]
    Folder(GitUrl),
    #[error(
        "The private key for {0} is none. Give the whole content of an OpenSSH private key file without a passphrase."
    )]
    Key(GitUrl),
    #[error("Git failed with {url}: {why}")]
    Failed { url: GitUrl, why: String },
    #[error("{path} could not be written: {why}. See that the disk has free space.", path = path.display())]
    Disk { path: PathBuf, why: io::Error },
}

const FETCH_TIME: Duration = Duration::from_secs(300);
const READ_TIME: Duration = Duration::from_secs(60);
/// Bytes of one fetch.
const FETCHED: u64 = 1 << 30;
/// Files of one project.
pub const MOST_FILES: usize = 20_000;
/// Bytes of all files of one project.
pub const MOST_BYTES: u64 = 256 << 20;
/// Where the commit of a fetch is put.
const FETCHED_REF: &str = "refs/slipway/fetched";

impl Git {
    pub fn new(cache: PathBuf) -> Self {
        Self {
            program: "git".into(),
            cache,
            allow_folders: false,
        }
    }

    /// Fetches what the source's revision names now, and says which commit that is.
    pub async fn fetch(&self, source: &Source) -> Result<Commit, GitError> {
        let url = &source.url;
        if url.is_folder() && !self.allow_folders {
            return Err(GitError::Folder(url.clone()));
        }
        let repository = self.repository(url);
        let _lock = self.lock(&repository).await?;
        if repository.join("HEAD").is_file() && repository.join("objects").is_dir() {
            tidy(&repository);
        } else {
            self.init(url, &repository).await?;
        }
        let commit = source.revision.commit();
        if let Some(commit) = &commit
            && let Ok(known) = self.describe(url, &repository, commit.as_str()).await
        {
            return Ok(known);
        }
        let keys = Keys::of(source)?;
        let revision = source.revision.as_str();
        let wanted = format!("+{revision}:{FETCHED_REF}");
        let newest = ["--depth=1", wanted.as_str()];
        let fetched = self.fetch_refs(source, &repository, &keys, &newest).await;
        match (fetched, &commit) {
            (Ok(()), _) => {}
            // Some hosts give out only what a branch or a tag names.
            (Err(GitError::Unknown { .. }), Some(_)) => {
                let all = [
                    "+refs/heads/*:refs/slipway/heads/*",
                    "+refs/tags/*:refs/slipway/tags/*",
                ];
                self.fetch_refs(source, &repository, &keys, &all).await?;
            }
            (Err(error), _) => return Err(error),
        }
        let found = commit.as_ref().map_or(FETCHED_REF, CommitId::as_str);
        let described = self.describe(url, &repository, found).await;
        let commit = described.map_err(|error| match error {
            GitError::Failed { .. } => GitError::Unknown {
                url: url.clone(),
                revision: source.revision.clone(),
            },
            error => error,
        })?;
        // The next fetch moves the other ref.
        let kept = format!("refs/slipway/commits/{}", commit.id);
        let args = ["update-ref", &kept, commit.id.as_str()];
        self.ask(url, self.git(&repository).args(args), READ_TIME)
            .await?;
        Ok(commit)
    }

    fn repository(&self, url: &GitUrl) -> PathBuf {
        let name = Sha256::of(url.as_str().as_bytes());
        self.cache.join(format!("{}.git", name.as_str()))
    }

    /// Held while a repository is used: two fetches of one would trip over each other.
    async fn lock(&self, repository: &Path) -> Result<fs::File, GitError> {
        let path = repository.with_extension("lock");
        let shown = path.clone();
        let cache = self.cache.clone();
        let locked = spawn_blocking(move || -> io::Result<fs::File> {
            file::private_folder(&cache)?;
            let lock = fs::File::create(&path)?;
            lock.lock()?;
            Ok(lock)
        });
        let locked = locked
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        locked.map_err(|why| GitError::Disk { path: shown, why })
    }

    async fn init(&self, url: &GitUrl, repository: &Path) -> Result<(), GitError> {
        // It gets its name when it is whole.
        let draft = repository.with_extension("new");
        let disk = |why| GitError::Disk {
            path: draft.clone(),
            why,
        };
        for half in [&draft, repository] {
            file::remove(half).map_err(disk)?;
        }
        let mut command = self.git(&draft);
        command.args(["init", "--quiet", "--bare", "--template="]);
        self.ask(url, &mut command, READ_TIME).await?;
        fs::rename(&draft, repository).map_err(disk)
    }

    async fn fetch_refs(
        &self,
        source: &Source,
        repository: &Path,
        keys: &Keys,
        what: &[&str],
    ) -> Result<(), GitError> {
        let mut command = self.git(repository);
        keys.give(&mut command);
        let (options, refs): (Vec<&str>, Vec<&str>) = what
            .iter()
            .copied()
            .partition(|word| word.starts_with("--"));
        command
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-auto-maintenance",
                "--no-write-fetch-head",
            ])
            .args(options)
            .args(["--", source.url.as_str()])
            .args(refs);
        let output = self.run(&source.url, &mut command, FETCH_TIME).await?;
        if output.status.success() {
            Ok(())
        } else {
            Err(refusal(source, &output))
        }
    }

    async fn describe(
        &self,
        url: &GitUrl,
        repository: &Path,
        name: &str,
    ) -> Result<Commit, GitError> {
        let commit = format!("{name}^{{commit}}");
        let mut command = self.git(repository);
        command.args([
            "log",
            "--max-count=1",
            "--no-show-signature",
            "--format=%H%n%at%n%s",
            "--end-of-options",
            &commit,
            "--",
        ]);
        let answer = self.ask(url, &mut command, READ_TIME).await?;
        let answer = String::from_utf8_lossy(&answer);
        let mut lines = answer.lines();
        let mut next = || lines.next().unwrap_or_default();
        let (id, seconds, subject) = (next(), next(), next());
        let failed = |why: String| GitError::Failed {
            url: url.clone(),
            why,
        };
        Ok(Commit {
            id: id
                .parse()
                .map_err(|_| failed(format!("it names a commit “{id}”.")))?,
            authored: seconds
                .parse()
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .unwrap_or_default(),
            subject: subject
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect(),
        })
    }

    /// The program, on this repository, with nothing of our environment that could change what it does.
    fn git(&self, repository: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir("/");
        for name in [
            "PATH",
            "https_proxy",
            "HTTPS_PROXY",
            "no_proxy",
            "NO_PROXY",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "GIT_SSL_CAINFO",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let protocols = if self.allow_folders {
            "https:ssh:file"
        } else {
            "https:ssh"
        };
        command
            .env("HOME", &self.cache)
            .env("LC_ALL", "C")
            .env("GIT_DIR", repository)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", protocols)
            .env("GIT_PROTOCOL_FROM_USER", "0");
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.askPass=",
            "protocol.ext.allow=never",
            "submodule.recurse=false",
            "fetch.recurseSubmodules=false",
            "fetch.unpackLimit=1",
            "gc.auto=0",
            "maintenance.auto=false",
            // A token goes to the host it is for.
            "http.followRedirects=false",
            "http.lowSpeedLimit=1000",
            "http.lowSpeedTime=60",
        ] {
            command.args(["-c", setting]);
        }
        command
    }

    async fn run(
        &self,
        url: &GitUrl,
        command: &mut Command,
        time: Duration,
    ) -> Result<Output, GitError> {
        self.run_with(url, command, &[], time, 64 << 20).await
    }

    async fn run_with(
        &self,
        url: &GitUrl,
        command: &mut Command,
        input: &[u8],
        time: Duration,
        output: u64,
    ) -> Result<Output, GitError> {
        let bounds = Bounds {
            time,
            output,
            memory: None,
            file: Some(FETCHED),
        };
        let url = || url.clone();
        match process::run(command, input, bounds).await {
            Ok(output) => Ok(output),
            Err(Failure::Start(error)) if error.kind() == io::ErrorKind::NotFound => {
                Err(GitError::Missing(self.program.clone()))
            }
            Err(Failure::Start(error)) => Err(GitError::Failed {
                url: url(),
                why: format!("{} could not be run: {error}.", self.program.display()),
            }),
            Err(Failure::Slow) => Err(GitError::Slow {
                url: url(),
                seconds: time.as_secs(),
            }),
            Err(Failure::TooMuch) => Err(GitError::Heavy { url: url() }),
        }
    }

    /// What it prints, if it succeeds.
    async fn ask(
        &self,
        url: &GitUrl,
        command: &mut Command,
        time: Duration,
    ) -> Result<Vec<u8>, GitError> {
        let output = self.run(url, command, time).await?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(GitError::Failed {
                url: url.clone(),
                why: said(&output),
            })
        }
    }
}

/// Removes what a fetch left that was ended half-way; nobody else is using the repository.
fn tidy(repository: &Path) {
    for folder in [
        "",
        "refs/slipway",
        "refs/slipway/commits",
        "refs/slipway/heads",
        "refs/slipway/tags",
    ] {
        let entries = fs::read_dir(repository.join(folder));
        for entry in entries.into_iter().flatten().flatten() {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "lock")
            {
                // What cannot be removed says so when it is in the way.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    let packs = fs::read_dir(repository.join("objects/pack"));
    for pack in packs.into_iter().flatten().flatten() {
        if pack.file_name().to_string_lossy().starts_with("tmp_") {
            let _ = fs::remove_file(pack.path());
        }
    }
}
