//! How runs reach hosts, and what they may not leave behind: real Ansible, real sshd.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where its setting fails"
)]

#[path = "support/sshd.rs"]
mod sshd;
mod support;

use std::{
    fs,
    num::NonZeroU16,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use domain::{
    host::HostOutcome,
    job::{JobEnd, JobKind},
    selection::Tags,
};
use integrations::{
    ansible::{
        command::{self, CommandError},
        project::{Playbooks, Project},
        reach::{Become, HostKeys, Jump, Reach},
    },
    supervisor::{self, names},
};
use secrecy::SecretString;
use serde_json::json;
use sshd::{Sshd, key_pair, keygen, me};
use support::{Done, Parts, finished, parts, playbook_bin, run, settings};

/// A folder with a key that hosts believe and playbooks to give them.
struct Site {
    keep: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        key_pair(&keep.path().join("key"));
        fs::copy(
            keep.path().join("key.pub"),
            keep.path().join("authorized_keys"),
        )
        .unwrap();
        Self { keep }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.keep.path().join(name)
    }

    /// An sshd that believes the key.
    fn host(&self, name: &str, settings: &str) -> Sshd {
        let keys = self.path("authorized_keys");
        Sshd::start(
            &self.path(name),
            &format!("AuthorizedKeysFile {}\n{settings}", keys.display()),
        )
    }

    /// A project of one playbook with these tasks.
    fn project(&self, tasks: &str) -> Project {
        let dir = self.path("project");
        fs::create_dir_all(&dir).unwrap();
        fs::write(
            dir.join("site.yml"),
            format!("- hosts: web\n  gather_facts: false\n  tasks:\n{tasks}"),
        )
        .unwrap();
        let site = || "site.yml".parse().unwrap();
        Project {
            root: dir.clone(),
            dir,
            playbooks: Playbooks {
                deploy: site(),
                probe: site(),
                roll_back: site(),
            },
            allow_config: false,
        }
    }

    /// A run of these tasks on a host at `port`.
    fn parts(&self, port: u16, tasks: &str) -> Parts {
        let parts = parts();
        Parts {
            project: self.project(tasks),
            variables: [
                ("ansible_host".to_owned(), json!("127.0.0.1")),
                ("ansible_port".to_owned(), json!(port)),
            ]
            .into(),
            reach: Reach {
                user: Some(me().parse().unwrap()),
                private_key: Some(self.key()),
                ..Reach::default()
            },
            ..parts
        }
    }

    fn key(&self) -> SecretString {
        fs::read_to_string(self.path("key")).unwrap().into()
    }
}

const TOUCH: &str = "    - ansible.builtin.command: 'true'\n";

fn ok(done: &Done) -> bool {
    done.exit.code == Some(0)
}

fn unreachable(done: &Done, parts: &Parts, why: &str) {
    let (end, outcome) = done.outcome(parts);
    assert_eq!(end, JobEnd::Completed, "{}", done.output);
    assert!(
        matches!(&outcome, HostOutcome::Unreachable { message } if message.contains(why)),
        "{outcome:?}\n{}",
        done.output
    );
}

#[test]
fn hosts_behind_jump_hosts_are_reached_with_one_certificate() {
    let site = Site::new();
    let ca = site.path("ca");
    key_pair(&ca);
    keygen(&[
        "-s",
        ca.to_str().unwrap(),
        "-I",
        "slipway",
        "-n",
        &me(),
        site.path("key.pub").to_str().unwrap(),
    ]);
    let believes = format!(
        "AuthorizedKeysFile none\nTrustedUserCAKeys {}.pub",
        ca.display()
    );
    let start = |name: &str| Sshd::start(&site.path(name), &believes);
    let (target, first, second) = (start("target"), start("first"), start("second"));
    let parts = site.parts(target.port, TOUCH);
    let jump = |host: &Sshd| Jump {
        user: None,
        host: "127.0.0.1".parse().unwrap(),
        port: NonZeroU16::new(host.port),
    };
    let known = target.known() + &first.known() + &second.known();
    let parts = Parts {
        reach: Reach {
            jump: vec![jump(&first), jump(&second)],
            known_hosts: Some(known),
            certificate: Some(fs::read_to_string(site.path("key-cert.pub")).unwrap()),
            ..parts.reach
        },
        ..parts
    };
    let done = finished(&settings(), &parts);
    assert!(ok(&done), "{}", done.output);
    for (jump, next) in [(&first, &second), (&second, &target)] {
        let log = jump.log();
        assert!(
            log.contains("Accepted certificate ID \"slipway\"") || log.contains("ED25519-CERT"),
            "{log}"
        );
        let wanted = format!("127.0.0.1 port {}", next.port);
        assert!(
            log.lines()
                .any(|line| line.contains("direct_tcpip") && line.contains(&wanted)),
            "{log}"
        );
    }

    // A jump host with another key than the known one is not gone through.
    let parts = Parts {
        reach: Reach {
            known_hosts: Some(target.known() + &second.known()),
            ..parts.reach
        },
        ..parts
    };
    let before = second.log().matches("direct_tcpip").count();
    // What the ssh of the jump host complains about does not come through.
    unreachable(&finished(&settings(), &parts), &parts, "Connection closed");
    assert_eq!(second.log().matches("direct_tcpip").count(), before);

    // Without the certificate nobody lets the key in.
    let parts = Parts {
        reach: Reach {
            known_hosts: Some(target.known()),
            certificate: None,
            jump: Vec::new(),
            ..parts.reach
        },
        ..parts
    };
    unreachable(&finished(&settings(), &parts), &parts, "Permission denied");
}

#[test]
fn an_unknown_host_key_is_believed_only_where_that_is_wanted() {
    let site = Site::new();
    let host = site.host("host", "");
    let kept_in = site.path("environment/known_hosts");
    let with = |host_keys: HostKeys, known_hosts: Option<String>| {
        let parts = site.parts(host.port, TOUCH);
        Parts {
            reach: Reach {
                host_keys,
                known_hosts,
                ..parts.reach
            },
            ..parts
        }
    };
    let accept = || HostKeys::AcceptNew {
        kept_in: kept_in.clone(),
    };

    let strict = with(HostKeys::Strict, Some(String::new()));
    let failed = "Host key verification failed";
    unreachable(&finished(&settings(), &strict), &strict, failed);

    // What a project says of ssh changes nothing, even where its configuration is read.
    for allow_config in [false, true] {
        let parts = with(HostKeys::Strict, Some(String::new()));
        let careless = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
        fs::write(
            parts.project.dir.join("ansible.cfg"),
            format!("[defaults]\nhost_key_checking = False\ncallbacks_enabled =\nstdout_callback = minimal\nlog_path = /tmp/slipway-never\n[ssh_connection]\nssh_args = {careless}\nssh_executable = /bin/false\n"),
        )
        .unwrap();
        fs::create_dir_all(parts.project.dir.join("group_vars")).unwrap();
        fs::write(
            parts.project.dir.join("group_vars/web.yml"),
            format!("ansible_ssh_common_args: {careless}\nansible_ssh_extra_args: {careless}\nansible_host_key_checking: false\nansible_user: nobody\n"),
        )
        .unwrap();
        let parts = Parts {
            project: Project {
                allow_config,
                ..parts.project
            },
            ..parts
        };
        unreachable(&finished(&settings(), &parts), &parts, failed);
        assert!(!Path::new("/tmp/slipway-never").exists());
    }

    let new = with(accept(), None);
    let done = finished(&settings(), &new);
    assert!(ok(&done), "{}", done.output);
    let kept = fs::read_to_string(&kept_in).unwrap();
    assert_eq!(kept.trim(), host.known().trim());
    // Then it is known, and another one is refused.
    let other = key_pair(&site.path("other"));
    fs::write(&kept_in, format!("[127.0.0.1]:{} {other}\n", host.port)).unwrap();
    unreachable(&finished(&settings(), &new), &new, failed);
}

#[test]
fn a_password_makes_one_user_another() {
    let site = Site::new();
    // Asks and refuses as sudo does; the real one would need users of this machine.
    let bin = site.path("bin");
    fs::create_dir(&bin).unwrap();
    let sudo = "#!/bin/sh\nwhile :; do case \"$1\" in -p) prompt=$2; shift 2;; -u) user=$2; shift 2;; -*) shift;; *) break;; esac; done\nprintf '%s' \"$prompt\" >&2\nIFS= read -r given\nif [ \"$given\" != 'pass {{ word }} \"x' ]; then printf 'Sorry, try again.\\n%s' \"$prompt\" >&2; exit 1; fi\nBECAME=$user exec \"$@\"\n";
    fs::write(bin.join("sudo"), sudo).unwrap();
    fs::set_permissions(bin.join("sudo"), fs::Permissions::from_mode(0o755)).unwrap();
    let host = site.host(
        "host",
        &format!("SetEnv PATH={}:/usr/bin:/bin", bin.display()),
    );
    let tasks = format!(
        "    - ansible.builtin.shell: echo $BECAME > {}\n",
        site.path("became").display()
    );
    let with = |password: &str, own: Option<&str>| {
        let mut parts = site.parts(host.port, &tasks);
        parts.reach.known_hosts = Some(host.known());
        parts.reach.become_ = Some(Become {
            method: "sudo".parse().unwrap(),
            user: "deployer".parse().unwrap(),
            password: Some(password.to_owned().into()),
        });
        if let Some(own) = own {
            let secret = ("ansible_become_password".to_owned(), own.to_owned().into());
            parts.secrets = [secret].into();
        }
        parts
    };
    let right = "pass {{ word }} \"x";
    for parts in [with(right, None), with("of all hosts", Some(right))] {
        let done = finished(&settings(), &parts);
        assert!(ok(&done), "{}", done.output);
        assert_eq!(
            fs::read_to_string(site.path("became")).unwrap(),
            "deployer\n"
        );
        fs::remove_file(site.path("became")).unwrap();
        nothing_left(&done.attempt(), "{{ word");
    }
    let done = finished(&settings(), &with("wrong", None));
    assert!(
        !ok(&done) && done.output.contains("Incorrect sudo password"),
        "{}",
        done.output
    );
}

#[test]
fn secrets_arrive_unchanged_and_nowhere_else() {
    let site = Site::new();
    let host = site.host("host", "");
    let secret = "first {{ 1 + 1 }} {% x %} it's \"s3cret\" \\n é🔑 $HOME\nsecond-line: 'öffne'";
    let tasks = format!(
        "    - ansible.builtin.copy: {{content: \"{{{{ api_key }}}}\", dest: {0}}}\n    - ansible.builtin.debug: {{var: api_key}}\n    - ansible.builtin.debug: {{msg: [\"{{{{ api_key }}}}\"]}}\n    - ansible.builtin.command: {{argv: [echo, \"{{{{ api_key }}}}\"]}}\n      changed_when: true\n    - ansible.builtin.shell: {{cmd: \"printf '%s' {{{{ api_key | quote }}}}; exit 3\"}}\n",
        site.path("arrived").display()
    );
    let mut parts = site.parts(host.port, &tasks);
    parts.reach.known_hosts = Some(host.known());
    parts.secrets = [("api_key".to_owned(), secret.to_owned().into())].into();
    // The host's own value of that name is not the secret one.
    let plain = ("api_key".to_owned(), json!("plain"));
    parts.variables.extend([plain]);
    let done = finished(&settings(), &parts);
    assert_eq!(
        fs::read_to_string(site.path("arrived")).unwrap(),
        secret,
        "{}",
        done.output
    );
    assert_eq!(done.exit.code, Some(2), "{}", done.output);
    assert!(done.output.contains("***") && done.events.contains("***"));
    for part in ["s3cret", "öffne", "\\u00f6ffne", "\\xf6ffne", "second-line"] {
        nothing_left(&done.attempt(), part);
    }
    let key = fs::read_to_string(site.path("key")).unwrap();
    nothing_left(&done.attempt(), key.lines().nth(2).unwrap());
}

/// No file in the folder, however deep, holds the text.
fn nothing_left(folder: &Path, text: &str) {
    let mut open = vec![folder.to_owned()];
    let mut files = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            files += 1;
            let content = fs::read(&path).unwrap();
            let content = String::from_utf8_lossy(&content);
            assert!(
                !content.contains(text),
                "{} holds {text}:\n{content}",
                path.display()
            );
        }
    }
    assert!(files > 3);
}

#[test]
fn secrets_of_a_run_without_a_supervisor_are_forgotten() {
    let site = Site::new();
    let mut parts = site.parts(1, TOUCH);
    parts.reach.vault_password = Some("vault-s3cret".to_owned().into());
    parts.secrets = [("api_key".to_owned(), "host-s3cret".to_owned().into())].into();
    let folder = site.path("attempt");
    let run = run(&parts, JobKind::Probe, site.keep.path());
    let spec = command::write(&settings(), &folder, &run).unwrap();
    let said = format!("{:?} {:?}", spec.argv, spec.env);
    assert!(!said.contains("s3cret"), "{said}");
    for name in ["secrets.yml", "vault_password", "ssh_key"] {
        let path = folder.join("private").join(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    supervisor::prepare(&folder, &spec).unwrap();
    command::forget(&folder).unwrap();
    command::forget(&folder).unwrap();
    nothing_left(&folder, "s3cret");
    assert!(folder.join(names::SPEC).exists() && !folder.join("private").exists());

    parts.secrets = [("ansible_ssh_common_args".to_owned(), "x".to_owned().into())].into();
    let refused = |parts: &Parts| {
        let run = support::run(parts, JobKind::Probe, site.keep.path());
        command::write(&settings(), &folder, &run).unwrap_err()
    };
    assert!(matches!(refused(&parts), CommandError::SecretName(_)));
    parts.secrets.clear();
    parts.reach.certificate = Some("ssh-ed25519 AAAA".to_owned());
    assert!(matches!(refused(&parts), CommandError::Certificate));
    assert!(
        !folder.join("private").exists(),
        "the key was written before"
    );
    parts.reach.private_key = Some("hello".to_owned().into());
    assert!(matches!(refused(&parts), CommandError::PrivateKey));
}

#[test]
fn a_vault_opens_with_its_password_only() {
    let site = Site::new();
    let host = site.host("host", "");
    let tasks = format!(
        "    - ansible.builtin.copy: {{content: \"{{{{ sealed }}}}\", dest: {}}}\n",
        site.path("opened").display()
    );
    let mut parts = site.parts(host.port, &tasks);
    parts.reach.known_hosts = Some(host.known());
    let vars = parts.project.dir.join("group_vars");
    fs::create_dir_all(&vars).unwrap();
    fs::write(vars.join("web.yml"), "sealed: from the vault\n").unwrap();
    fs::write(site.path("password"), "vault-pass").unwrap();
    let sealed = Command::new(playbook_bin().with_file_name("ansible-vault"))
        .args(["encrypt", "--vault-password-file"])
        .arg(site.path("password"))
        .arg(vars.join("web.yml"))
        .output()
        .unwrap();
    assert!(sealed.status.success(), "{sealed:?}");

    parts.reach.vault_password = Some("vault-pass".to_owned().into());
    let done = finished(&settings(), &parts);
    assert!(ok(&done), "{}", done.output);
    assert_eq!(
        fs::read_to_string(site.path("opened")).unwrap(),
        "from the vault"
    );
    for password in [Some("wrong-pass".to_owned().into()), None] {
        fs::remove_file(site.path("opened")).unwrap_or_default();
        parts.reach.vault_password = password;
        let done = finished(&settings(), &parts);
        assert!(!ok(&done) && !site.path("opened").exists());
        assert!(
            done.output.contains("vault secrets"),
            "the reason is told: {}",
            done.output
        );
    }
}

#[test]
fn only_what_is_asked_for_is_done() {
    let site = Site::new();
    let host = site.host("host", "");
    let write = |name: &str, tags: &str| {
        format!(
            "    - ansible.builtin.copy: {{content: new, dest: {}}}\n      tags: {tags}\n",
            site.path(name).display()
        )
    };
    let tasks = write("one", "[fast]") + &write("two", "[fast, slow]") + &write("three", "[other]");
    let mut parts = site.parts(host.port, &tasks);
    parts.reach.known_hosts = Some(host.known());
    let there = || ["one", "two", "three"].map(|name| site.path(name).exists());

    parts.kind = JobKind::DryRun;
    let done = finished(&settings(), &parts);
    assert!(ok(&done), "{}", done.output);
    assert!(done.output.contains("+new"), "{}", done.output);
    assert_eq!(there(), [false; 3]);

    parts.kind = JobKind::Probe;
    parts.tags = Tags::read("tags", "fast, never-there").unwrap();
    parts.skip_tags = Tags::read("skip_tags", "slow").unwrap();
    assert!(ok(&finished(&settings(), &parts)));
    assert_eq!(there(), [true, false, false]);
}

#[test]
fn another_project_brings_its_roles_and_only_if_allowed_its_configuration() {
    let site = Site::new();
    let host = site.host("host", "");
    let mut parts = site.parts(
        host.port,
        "    - ansible.builtin.import_role: {name: hello}\n",
    );
    parts.reach.known_hosts = Some(host.known());
    let project = &mut parts.project;
    fs::create_dir_all(project.dir.join("playbooks")).unwrap();
    fs::rename(
        project.dir.join("site.yml"),
        project.dir.join("playbooks/site.yml"),
    )
    .unwrap();
    project.playbooks.probe = "playbooks/site.yml".parse().unwrap();
    let tasks = project.dir.join("roles/hello/tasks");
    fs::create_dir_all(&tasks).unwrap();
    fs::write(
        tasks.join("main.yml"),
        "- ansible.builtin.debug: {msg: said-hello}\n- ansible.builtin.debug: {msg: said-more}\n  tags: more\n",
    )
    .unwrap();
    fs::write(
        project.dir.join("ansible.cfg"),
        "[tags]\nskip = more\n[defaults]\ncallbacks_enabled =\n",
    )
    .unwrap();
    for (allow_config, more) in [(false, true), (true, false)] {
        parts.project.allow_config = allow_config;
        let done = finished(&settings(), &parts);
        assert!(
            ok(&done) && done.output.contains("said-hello"),
            "{}",
            done.output
        );
        assert_eq!(done.output.contains("said-more"), more, "{}", done.output);
        assert!(done.tally.played(), "events are told in any case");
    }
}
