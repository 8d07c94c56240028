//! The real Ansible. Needs ansible-core: the one in the checkout's `.venv`, or the one in `PATH`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where its setting fails"
)]

mod support;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use domain::{
    host::HostOutcome,
    job::{JobEnd, JobKind},
    release::{Artifact, Release},
    service::Installation,
};
use integrations::ansible::{
    Settings, check,
    command::{self, CommandError},
    inventory::{self, Dynamic, InventoryError},
    project::Project,
};
use serde_json::{Value, json};
use support::{Parts, finished, parts, playbook_bin, run, settings};

#[tokio::test]
async fn inventories_of_both_notations_are_read() {
    let ini = "# hosts\n[web]\nweb-[1:2] ansible_host=10.0.0.1 ansible_port=2222\n[web:vars]\ncriticality=low\n[app:children]\nweb\n[other]\ndb\n";
    let yaml = "all:\n  children:\n    app:\n      children:\n        web:\n          hosts:\n            web-[1:2]: {ansible_host: 10.0.0.1, ansible_port: 2222}\n          vars: {criticality: low}\n    other:\n      hosts:\n        db:\n";
    let read = inventory::read(&playbook_bin(), ini).await.unwrap();
    assert_eq!(read, inventory::read(&playbook_bin(), yaml).await.unwrap());
    let seen: Vec<_> = read
        .iter()
        .map(|host| {
            (
                host.name.as_str(),
                host.groups.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("db", vec!["other"]),
            ("web-1", vec!["app", "web"]),
            ("web-2", vec!["app", "web"])
        ]
    );
    assert_eq!(
        json!(read[1].variables),
        json!({"ansible_host": "10.0.0.1", "ansible_port": 2222, "criticality": "low"})
    );
}

#[tokio::test]
async fn inventories_that_cannot_be_used_are_refused_with_the_reason() {
    for (text, expected) in [
        ("", &["names no host"][..]),
        (
            "web-1 greeting='{{ lookup(\"pipe\", \"touch never\") }}'",
            &["web-1", "greeting", "{{"],
        ),
        (
            "all: {hosts: {web-1: {key: !vault '$ANSIBLE_VAULT;1.1'}}}",
            &["web-1", "key", "Vault"],
        ),
        ("[web\nfoo bar\n", &["cannot read"]),
        ("all:\n  hosts:\n  - a\n", &["cannot read", "hosts"]),
        ("plugin: amazon.aws.aws_ec2\n", &["cannot read"]),
        ("#!/bin/sh\ntouch never; echo '{}'\n", &["cannot read"]),
    ] {
        let error = inventory::read(&playbook_bin(), text)
            .await
            .expect_err(text)
            .to_string();
        assert!(
            expected.iter().all(|part| error.contains(part)),
            "{text}\n  {error}"
        );
        assert!(!error.contains("slipway-tool-"), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_installed_is_said() {
    assert!(check::version(&settings()).await.unwrap().starts_with("2."));
    let missing = Settings {
        playbook_bin: "/no/such/ansible-playbook".into(),
        project_dir: "/no/such".into(),
        ..settings()
    };
    let error = check::version(&missing).await.unwrap_err().to_string();
    assert!(
        error.contains("not installed") && error.contains("pip install"),
        "{error}"
    );
    assert!(
        inventory::read(&missing.playbook_bin, "a")
            .await
            .unwrap_err()
            .to_string()
            .contains("not installed")
    );
    let error = check::playbook(&missing, JobKind::Deploy)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/no/such/playbooks/deploy.yml") && error.contains("project_dir"),
        "{error}"
    );
    let other = Settings {
        playbook_bin: "/bin/false".into(),
        ..settings()
    };
    assert!(
        check::version(&other)
            .await
            .unwrap_err()
            .to_string()
            .contains("does not work")
    );
}

#[test]
fn a_run_is_written_for_ansible_and_for_nobody_else() {
    use std::os::unix::fs::PermissionsExt;

    let keep = tempfile::tempdir().unwrap();
    let parts = parts();
    let settings = Settings {
        known_hosts: Some("/etc/slip way/known_hosts".into()),
        ssh_private_key: Some("/k".into()),
        ..settings()
    };
    let folder = keep.path().join("attempts").join("a".repeat(80));
    let error = command::write(
        &settings,
        &folder,
        &run(&parts, JobKind::Deploy, keep.path()),
    )
    .unwrap_err();
    assert!(matches!(&error, CommandError::NoArtifact(_)), "{error}");
    assert!(!folder.exists(), "nothing is half-written");

    fs::write(keep.path().join("checkout-1.1.0.tar.gz"), "").unwrap();
    let spec = command::write(
        &settings,
        &folder,
        &run(&parts, JobKind::Deploy, keep.path()),
    )
    .unwrap();
    let again = command::write(
        &settings,
        &folder,
        &run(&parts, JobKind::Deploy, keep.path()),
    )
    .unwrap();
    assert_eq!(spec, again);
    assert_eq!(spec.argv[5], "playbooks/deploy.yml");
    for name in ["inventory.json", "vars.json"] {
        assert_eq!(
            fs::metadata(folder.join(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
    }
    let variables: Value =
        serde_json::from_slice(&fs::read(folder.join("vars.json")).unwrap()).unwrap();
    assert_eq!(
        (
            &variables["slipway_kind"],
            &variables["slipway_health_port"]
        ),
        (&json!("deploy"), &json!(8080))
    );
    assert!(
        variables["slipway_artifact"]
            .as_str()
            .unwrap()
            .starts_with('/')
    );
    let config = folder.join("ssh_config");
    assert_eq!(
        spec.env["ANSIBLE_SSH_COMMON_ARGS"],
        format!("-F '{}'", config.display())
    );
    let config = fs::read_to_string(config).unwrap();
    for line in [
        "StrictHostKeyChecking yes",
        "UserKnownHostsFile \"/etc/slip way/known_hosts\"",
        "IdentityFile \"/k\"",
        "IdentitiesOnly yes",
        "ProxyJump none",
    ] {
        assert!(
            config.contains(&format!("    {line}\n")),
            "{line}\n{config}"
        );
    }
    let sockets = Path::new(&spec.env["ANSIBLE_SSH_CONTROL_PATH_DIR"]);
    assert!(
        sockets.as_os_str().len() < 80 && sockets.is_dir(),
        "{sockets:?}"
    );
    fs::remove_dir(sockets).unwrap();

    let parts = Parts {
        variables: BTreeMap::from([("x".to_owned(), json!(["{{ y }}"]))]),
        ..parts
    };
    let error = command::write(
        &settings,
        &folder,
        &run(&parts, JobKind::Probe, keep.path()),
    )
    .unwrap_err();
    assert!(matches!(&error, CommandError::Template { .. }), "{error}");
}

#[test]
fn services_on_one_host_have_a_folder_each_below_its_root() {
    let keep = tempfile::tempdir().unwrap();
    let install_root = |variables: Value, service: &str| {
        let parts = parts();
        let parts = Parts {
            service: service.parse().unwrap(),
            installation: Installation {
                install_root: format!("/opt/{service}"),
                ..parts.installation
            },
            variables: serde_json::from_value(variables).unwrap(),
            ..parts
        };
        let folder = keep.path().join("one");
        let run = run(&parts, JobKind::Probe, keep.path());
        command::write(&settings(), &folder, &run).unwrap();
        let inventory = fs::read(folder.join("inventory.json")).unwrap();
        let inventory: Value = serde_json::from_slice(&inventory).unwrap();
        inventory["all"]["hosts"]["web-1"]["slipway_install_root"].clone()
    };
    assert_eq!(install_root(json!({}), "checkout"), "/opt/checkout");
    for service in ["checkout", "basket"] {
        // What an older inventory may have set is of no service in particular.
        let host = json!({"slipway_root": "/srv/web-1", "slipway_install_root": "/srv/x"});
        assert_eq!(
            install_root(host, service),
            format!("/srv/web-1/opt/{service}")
        );
    }
}

#[test]
fn playbooks_that_bring_a_version_by_themselves_are_given_no_artefact() {
    let keep = tempfile::tempdir().unwrap();
    let mut parts = parts();
    for there in [true, false] {
        if !there {
            parts.release.artifact = None;
        }
        let folder = keep.path().join(there.to_string());
        let run = run(&parts, JobKind::Deploy, keep.path());
        std::fs::write(keep.path().join("checkout-1.1.0.tar.gz"), "").unwrap();
        command::write(&settings(), &folder, &run).unwrap();
        let variables = std::fs::read_to_string(folder.join("vars.json")).unwrap();
        assert_eq!(variables.contains("slipway_artifact"), there, "{variables}");
        assert!(variables.contains("slipway_version"));
    }
}

#[test]
fn the_query_of_an_artefacts_address_is_masked() {
    let keep = tempfile::tempdir().unwrap();
    let parts = parts();
    let parts = Parts {
        release: Release {
            artifact: Some(Artifact {
                source: "https://files.example.com/checkout.tar.gz?sig=s3cret&x=1"
                    .parse()
                    .unwrap(),
                sha256: "0".repeat(64).parse().unwrap(),
            }),
            ..parts.release
        },
        ..parts
    };
    let run = run(&parts, JobKind::Deploy, keep.path());
    let spec = command::write(&settings(), &keep.path().join("one"), &run).unwrap();
    assert_eq!(spec.redact, ["sig=s3cret&x=1"]);
    assert_eq!(
        parts.release.artifact.as_ref().unwrap().source.shown(),
        "https://files.example.com/checkout.tar.gz?***"
    );
}

#[test]
fn a_host_nobody_reaches_is_reported_as_such() {
    let parts = parts();
    let done = finished(&settings(), &parts);
    let ((end, outcome), output) = (done.outcome(&parts), &done.output);
    assert_eq!(end, JobEnd::Completed, "{output}");
    assert!(
        matches!(&outcome, HostOutcome::Unreachable { message } if message.contains("refused")),
        "{outcome:?}\n{output}"
    );
    assert!(output.contains("\u{1b}["), "colours are kept");
}

#[test]
fn a_playbook_that_cannot_be_read_touches_nothing() {
    let keep = tempfile::tempdir().unwrap();
    fs::create_dir_all(keep.path().join("playbooks")).unwrap();
    fs::write(keep.path().join("ansible.cfg"), "").unwrap();
    fs::write(
        keep.path().join("playbooks/probe.yml"),
        "- hosts: all\n  nonsense: [",
    )
    .unwrap();
    let parts = parts();
    let broken = Settings {
        project_dir: keep.path().to_owned(),
        ..settings()
    };
    let parts = Parts {
        project: Project::shipped(&broken),
        ..parts
    };
    let done = finished(&broken, &parts);
    let end = done.tally.conclude(JobKind::Probe, &done.exit, &[]).end;
    assert!(
        matches!(end, JobEnd::CouldNotStart { .. }),
        "{end:?}\n{}",
        done.output
    );
}

/// A project with an inventory of this name and content, which may be run.
fn project(name: &str, content: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;

    let keep = tempfile::tempdir().unwrap();
    let path = keep.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    if content.starts_with("#!") {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    keep
}

#[tokio::test]
async fn inventories_of_a_project_are_asked() {
    let script = "#!/bin/sh\nprintf '{\"web\": {\"hosts\": [\"web-1\"]}, \"_meta\": {\"hostvars\": {\"web-1\": {\"token_seen\": \"%s\", \"path_seen\": \"%s\"}}}}' \"$TOKEN\" \"${CARGO_MANIFEST_DIR:-none}\"\n";
    let plain = "web:\n  hosts:\n    web-1:\n";
    let token = BTreeMap::from([("TOKEN".to_owned(), "t0ken".to_owned().into())]);
    for (name, asked, content) in [
        ("hosts/cloud.sh", "hosts/cloud.sh", script),
        ("hosts/cloud.sh", "hosts/", script),
        ("hosts/all.yml", "hosts/all.yml", plain),
        ("hosts/ini", "hosts/ini", "[web]\nweb-1\n"),
        ("hosts/x.advanced.yml", "hosts", plain),
    ] {
        let keep = project(name, content);
        let dynamic = Dynamic::new(keep.path(), asked, &token);
        let hosts = inventory::from_project(&settings(), &dynamic)
            .await
            .unwrap();
        assert_eq!(hosts.len(), 1);
        assert_eq!(
            (hosts[0].name.as_str(), hosts[0].groups.contains("web")),
            ("web-1", true)
        );
        if content == script {
            let variables = json!(hosts[0].variables);
            assert_eq!(
                variables,
                json!({"token_seen": "t0ken", "path_seen": "none"})
            );
        }
    }
}

#[tokio::test]
async fn an_inventory_of_a_project_that_cannot_be_used_is_refused_with_the_reason() {
    let script = |output: &str| format!("#!/bin/sh\necho '{output}'\n");
    let host = |variables: &str| {
        script(&format!(
            r#"{{"_meta": {{"hostvars": {{"web-1": {variables}}}}}, "web": {{"hosts": ["web-1"]}}}}"#
        ))
    };
    let failing = "#!/bin/sh\necho \"t0ken expired, ask for another\" >&2\nexit 3\n";
    for (name, content, expected) in [
        (
            "a.sh",
            failing,
            &["a.sh", "exit code 3", "*** expired, ask"][..],
        ),
        (
            "a.sh",
            "#!/bin/sh\necho 'no CMDB: token=ghp_abcdefghijklmnopqrstuvwxyz0123456789' >&2\nexit 3\n",
            &["no CMDB: token=***"],
        ),
        ("a.yml", "web:\n  hosts: {a: , b\n", &["a.yml", "(line "]),
        ("a.sh", &script("hello"), &["a.sh", "JSON"]),
        (
            "a.yml",
            "plugin: amazon.aws.none\n",
            &["a.yml", "unknown plugin"],
        ),
        ("a.yml", "web:\n  hosts:\n  - a\n", &["a.yml"]),
        ("a.sh", &script("{}"), &["names no host"]),
        (
            "a.sh",
            &host(r#"{"ansible_ssh_common_args": "-o ProxyCommand=x"}"#),
            &["web-1", "does not pass"],
        ),
        (
            "a.sh",
            &host(r#"{"ansible_password": "x"}"#),
            &["secret variable"],
        ),
        ("a.sh", &host(r#"{"x": "{{ y }}"}"#), &["template"]),
        (
            "a.sh",
            "#!/bin/sh\nhead -c 40000000 /dev/zero | tr '\\0' x\n",
            &["a.sh"],
        ),
    ] {
        let keep = project(name, content);
        let token = BTreeMap::from([("TOKEN".to_owned(), "t0ken".to_owned().into())]);
        let dynamic = Dynamic::new(keep.path(), name, &token);
        let error = inventory::from_project(&settings(), &dynamic)
            .await
            .expect_err(content)
            .to_string();
        assert!(
            expected.iter().all(|part| error.contains(part)),
            "{name}: {error}"
        );
        assert!(
            !error.contains(keep.path().to_str().unwrap()) && error.len() < 1200,
            "{error}"
        );
    }
    let keep = project("a.sh", failing);
    let none = BTreeMap::new();
    for (path, part) in [
        ("../a.sh", "not the path"),
        ("/etc/hosts", "not the path"),
        ("--list", "not the path"),
        ("b.sh", "no inventory"),
    ] {
        let dynamic = Dynamic::new(keep.path(), path, &none);
        let error = inventory::from_project(&settings(), &dynamic)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let preload = BTreeMap::from([("LD_PRELOAD".to_owned(), "x".to_owned().into())]);
    let dynamic = Dynamic::new(keep.path(), "a.sh", &preload);
    let error = inventory::from_project(&settings(), &dynamic)
        .await
        .unwrap_err();
    assert!(matches!(error, InventoryError::Environment(_)), "{error}");
}

#[tokio::test]
async fn a_script_that_hangs_is_ended_with_all_it_started() {
    // One child in a session of its own, one that ignores to be asked, and itself.
    let script = "#!/bin/sh\nsetsid sleep 1001 & echo $! > pids\nsh -c 'trap \"\" TERM; sleep 1002' & echo $! >> pids\necho $$ >> pids\nsleep 1003\n";
    let keep = project("slow.sh", script);
    let none = BTreeMap::new();
    let dynamic = Dynamic {
        within: Duration::from_secs(10),
        ..Dynamic::new(keep.path(), "slow.sh", &none)
    };
    let error = inventory::from_project(&settings(), &dynamic)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, InventoryError::Hangs { path, seconds: 10 } if path == "slow.sh"),
        "{error}"
    );
    let pids = fs::read_to_string(keep.path().join("pids")).unwrap();
    assert_eq!(pids.lines().count(), 3);
    for pid in pids.lines() {
        let alive = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit_once(')')
                .is_some_and(|(_, rest)| rest.starts_with(" Z"))
        });
        assert!(!alive, "{pid} lives");
    }
}
