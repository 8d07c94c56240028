//! Runs of the real Ansible under a real supervisor.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses another part of this"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use domain::{
    host::HostOutcome,
    id::{AttemptId, RolloutId},
    job::{JobEnd, JobKind},
    release::{Artifact, Release},
    selection::Tags,
    service::Installation,
    text::HostName,
};
use integrations::{
    ansible::{
        Settings,
        command::{self, Run, Target},
        events::Tally,
        project::Project,
        reach::Reach,
    },
    supervisor::{self, Exit, Found, Launcher, names},
    tail::read_lines,
};
use secrecy::SecretString;
use serde_json::{Value, json};

pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

pub fn playbook_bin() -> PathBuf {
    let own = checkout().join(".venv/bin/ansible-playbook");
    if own.exists() {
        own
    } else {
        "ansible-playbook".into()
    }
}

pub fn settings() -> Settings {
    Settings {
        playbook_bin: playbook_bin(),
        project_dir: checkout().join("automation/ansible"),
        ssh_private_key: None,
        known_hosts: None,
        forks: 5,
    }
}

pub struct Parts {
    pub service: domain::text::Slug,
    pub installation: Installation,
    pub release: Release,
    pub host: HostName,
    pub groups: BTreeSet<String>,
    pub variables: BTreeMap<String, Value>,
    pub project: Project,
    pub reach: Reach,
    pub secrets: BTreeMap<String, SecretString>,
    pub tags: Tags,
    pub skip_tags: Tags,
    pub kind: JobKind,
}

pub fn parts() -> Parts {
    Parts {
        groups: BTreeSet::from(["web".to_owned()]),
        project: Project::shipped(&settings()),
        reach: Reach::default(),
        secrets: BTreeMap::new(),
        tags: Tags::default(),
        skip_tags: Tags::default(),
        kind: JobKind::Probe,
        service: "checkout".parse().unwrap(),
        installation: Installation {
            host_group: "all".parse().unwrap(),
            install_root: "/opt/checkout".to_owned(),
            health_port: 8080,
            health_path: "/health".to_owned(),
        },
        release: Release {
            version: "1.1.0".parse().unwrap(),
            artifact: Some(Artifact {
                source: "checkout-1.1.0.tar.gz".parse().unwrap(),
                sha256: "0".repeat(64).parse().unwrap(),
            }),
            commit: None,
        },
        host: "web-1".parse().unwrap(),
        // Nothing listens here.
        variables: BTreeMap::from([
            ("ansible_host".to_owned(), json!("127.0.0.1")),
            ("ansible_port".to_owned(), json!(1)),
        ]),
    }
}

pub fn run<'a>(parts: &'a Parts, kind: JobKind, artifacts_dir: &'a Path) -> Run<'a> {
    let id = "01890000-0000-7000-8000-000000000001"
        .parse::<AttemptId>()
        .unwrap();
    Run {
        attempt: id,
        rollout: RolloutId(id.0),
        batch: 1,
        kind,
        project: &parts.project,
        tags: parts.tags.clone(),
        skip_tags: parts.skip_tags.clone(),
        reach: &parts.reach,
        service: &parts.service,
        installation: &parts.installation,
        release: &parts.release,
        artifacts_dir,
        hosts: vec![Target {
            name: &parts.host,
            groups: &parts.groups,
            secrets: parts.secrets.clone(),
            variables: &parts.variables,
            before: None,
        }],
        deadline: Duration::from_secs(120),
    }
}

/// What a run left.
pub struct Done {
    pub exit: Exit,
    pub tally: Tally,
    pub output: String,
    pub events: String,
    keep: tempfile::TempDir,
}

impl Done {
    /// What is concluded of the only host.
    pub fn outcome(&self, parts: &Parts) -> (JobEnd, HostOutcome) {
        let hosts = std::slice::from_ref(&parts.host);
        let mut conclusion = self.tally.conclude(JobKind::Probe, &self.exit, hosts);
        let host = conclusion.hosts.remove(&parts.host).unwrap();
        (conclusion.end, host.outcome)
    }

    pub fn attempt(&self) -> PathBuf {
        self.keep.path().join("one")
    }
}

/// Runs to the end under a real supervisor.
pub fn finished(settings: &Settings, parts: &Parts) -> Done {
    let keep = tempfile::tempdir().unwrap();
    let folder = keep.path().join("one");
    // A dry run looks for the artefact.
    fs::write(keep.path().join("checkout-1.1.0.tar.gz"), "").unwrap();
    let spec = command::write(settings, &folder, &run(parts, parts.kind, keep.path())).unwrap();
    supervisor::prepare(&folder, &spec).unwrap();
    let launcher = Launcher::new(env!("CARGO_BIN_EXE_supervise-fixture").into());
    launcher.launch(&folder, || ()).unwrap();
    let exit = (0..12_000)
        .find_map(|_| match supervisor::inspect(&folder).unwrap() {
            Found::Finished(exit) => Some(exit),
            Found::Running { .. } => {
                thread::sleep(Duration::from_millis(10));
                None
            }
            other => panic!("{other:?}"),
        })
        .expect("the playbook ends");
    let mut tally = Tally::default();
    let path = folder.join(names::EVENTS);
    for line in read_lines(&path, 0, usize::MAX / 2).unwrap().0 {
        assert!(tally.take(&line.text).is_some(), "{}", line.text);
    }
    for name in ["ssh", "ansible", "private"] {
        assert!(
            !folder.join(name).exists(),
            "{name} is no longer needed, and there"
        );
    }
    Done {
        exit,
        tally,
        output: fs::read_to_string(folder.join(names::OUTPUT)).unwrap(),
        events: fs::read_to_string(path).unwrap(),
        keep,
    }
}
