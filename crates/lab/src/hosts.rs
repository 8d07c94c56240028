//! The hosts: an sshd each on its own address, a folder that is its file system, a daemon in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::artifacts::{self, INSTALL_ROOT, SERVICE};
use crate::faults::Fault;
use crate::fleet::HostSpec;
use crate::record::{Artifact, DatadogKeys, HostRecord};
use crate::sshd::{Sshd, key_pair};
use crate::{disk, processes};

const PYTHON: &str = "/usr/bin/python3";
const RESTART: &str = include_str!("../assets/restart.sh");
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const UP_WITHIN: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(40);

/// What all hosts of a lab have in common.
pub struct Site {
    pub dir: PathBuf,
    pub user: String,
    pub authorized_key: String,
    pub health_port: u16,
    pub datadog: DatadogKeys,
}

/// One host. Dropping it ends its sshd and the sessions; its daemon is ended with the lab.
pub struct Host {
    spec: HostSpec,
    dir: PathBuf,
    root: PathBuf,
    ssh_port: u16,
    user: String,
    health_port: u16,
    public_key: String,
    fault: Fault,
    sshd: Option<Sshd>,
}

impl Host {
    /// Makes the host's folder: sshd's configuration and key, the daemon's configuration, the baseline release if no
    /// release is installed. Starts nothing.
    pub fn prepare(
        site: &Site,
        spec: HostSpec,
        ssh_port: u16,
        baseline: &Artifact,
    ) -> Result<Self> {
        let root = site.dir.join("hosts").join(&spec.name);
        for folder in ["etc", "run", "log", "bin"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("{} could not be made", folder.display()))?;
        }
        let host = Self {
            public_key: key_pair(&root.join("etc/ssh_host_ed25519_key"))?,
            dir: site.dir.clone(),
            user: site.user.clone(),
            health_port: site.health_port,
            fault: Fault::Clear,
            sshd: None,
            spec,
            root,
            ssh_port,
        };
        disk::write(
            &host.root.join("etc/authorized_keys"),
            site.authorized_key.as_bytes(),
            0o600,
        )?;
        disk::write(
            &host.root.join("etc/sshd_config"),
            host.sshd_config().as_bytes(),
            0o644,
        )?;
        disk::write(&host.restart_command(), RESTART.as_bytes(), 0o755)?;
        disk::write(&host.stop_command(), RESTART.as_bytes(), 0o755)?;
        let config = host.daemon_config(&site.datadog).to_string();
        disk::write(
            &host.root.join("etc/checkout.json"),
            config.as_bytes(),
            0o600,
        )?;
        host.write_fault(Fault::Clear)?;
        host.install_baseline(baseline)?;
        Ok(host)
    }

    pub fn name(&self) -> &str {
        &self.spec.name
    }

    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// This host as `lab.json` describes it.
    pub fn record(&self) -> HostRecord {
        let text = |path: PathBuf| path.display().to_string();
        let vars = BTreeMap::from([
            ("ansible_python_interpreter", PYTHON.to_owned()),
            ("slipway_root", text(self.root.clone())),
            ("slipway_service_manager", "command".to_owned()),
            ("slipway_restart_command", text(self.restart_command())),
            ("slipway_stop_command", text(self.stop_command())),
        ]);
        HostRecord {
            name: self.spec.name.clone(),
            environment: self.spec.environment.to_owned(),
            address: self.spec.address,
            port: self.ssh_port,
            user: self.user.clone(),
            criticality: self.spec.criticality,
            failure_domain: self.spec.failure_domain.to_owned(),
            vars: vars
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    /// This host's line of a known_hosts file.
    pub fn known_host(&self) -> String {
        let address = self.spec.address;
        match self.ssh_port {
            22 => format!("{address} {}", self.public_key),
            port => format!("[{address}]:{port} {}", self.public_key),
        }
    }

    /// Starts the sshd and returns once it listens.
    pub async fn connect(&mut self) -> Result<()> {
        if self.sshd.is_none() {
            let address = (self.spec.address, self.ssh_port).into();
            let sshd = Sshd::start(&self.root, address).await;
            self.sshd = Some(sshd.with_context(|| format!("{} has no SSH", self.spec.name))?);
        }
        Ok(())
    }

    /// Cuts the host off: no sshd, no open session. What the sessions had started runs on.
    pub fn disconnect(&mut self) {
        self.sshd = None;
    }

    /// (Re)starts the daemon as an operator on the host would. `history` seconds of past traffic are reported first.
    pub async fn start_daemon(&self, history: u32) -> Result<()> {
        let name = &self.spec.name;
        let output = tokio::process::Command::new(self.restart_command())
            .args([SERVICE, "--history", &history.to_string()])
            .env_clear()
            .envs([("PATH", PATH), ("LANG", "C.UTF-8")])
            .env("HOME", &self.root)
            .env(processes::MARK, &self.dir)
            .env("SLIPWAY_INSTALL_ROOT", self.install_root())
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("the daemon of {name} could not be started"))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            bail!("the daemon of {name} could not be started: {}", why.trim());
        }
        Ok(())
    }

    /// Returns once the daemon says it is well.
    pub async fn until_healthy(&self, client: &reqwest::Client) -> Result<()> {
        let url = format!("http://{}:{}/health", self.spec.address, self.health_port);
        let healthy = async {
            loop {
                match client.get(&url).send().await {
                    Ok(answer) if answer.status().is_success() => return,
                    _ => tokio::time::sleep(ASK_EVERY).await,
                }
            }
        };
        tokio::time::timeout(UP_WITHIN, healthy)
            .await
            .with_context(|| {
                let log = self.root.join("log/checkout.log");
                format!(
                    "the daemon of {} is not healthy at {url}: see {}",
                    self.spec.name,
                    log.display()
                )
            })
    }

    /// Puts one fault in place of any other. `Clear` makes the host well again.
    pub async fn set_fault(&mut self, fault: Fault) -> Result<()> {
        self.write_fault(fault)?;
        self.fault = fault;
        if fault == Fault::Unreachable {
            self.disconnect();
            Ok(())
        } else {
            self.connect().await
        }
    }

    fn write_fault(&self, fault: Fault) -> Result<()> {
        let word = if fault == Fault::Clear {
            ""
        } else {
            fault.word()
        };
        disk::write(&self.fault_file(), word.as_bytes(), 0o644)
    }

    fn fault_file(&self) -> PathBuf {
        self.root.join("etc/fault")
    }

    fn restart_command(&self) -> PathBuf {
        self.root.join("bin/restart")
    }

    /// What ends the service it is told, as the agent's playbooks need it.
    fn stop_command(&self) -> PathBuf {
        self.root.join("bin/stop")
    }

    fn install_root(&self) -> PathBuf {
        self.root.join(INSTALL_ROOT.trim_start_matches('/'))
    }

    fn install_baseline(&self, baseline: &Artifact) -> Result<()> {
        let current = self.install_root().join("current");
        if current.exists() {
            return Ok(());
        }
        let relative = Path::new("releases").join(&baseline.version);
        let release = self.install_root().join(&relative);
        fs::create_dir_all(&release)
            .with_context(|| format!("{} could not be made", release.display()))?;
        artifacts::unpack(baseline, &release)?;
        // As the shipped playbook leaves it.
        disk::write(
            &release.join(".slipway-sha256"),
            format!("{}\n", baseline.sha256).as_bytes(),
            0o644,
        )?;
        // A link that leads nowhere is what an interrupted run may leave.
        let _ = fs::remove_file(&current);
        symlink(&relative, &current)
            .with_context(|| format!("{} could not be linked", current.display()))
    }

    fn daemon_config(&self, datadog: &DatadogKeys) -> serde_json::Value {
        json!({
            "service": SERVICE,
            "host": self.spec.name,
            "environment": self.spec.environment,
            "address": self.spec.address,
            "port": self.health_port,
            "datadog_url": datadog.url,
            "datadog_api_key": datadog.api_key,
            "fault_file": self.fault_file(),
        })
    }

    /// `SetEnv` makes the host's folder the home, and marks what sessions start.
    fn sshd_config(&self) -> String {
        let etc = self.root.join("etc");
        format!(
            "ListenAddress {address}:{port}\n\
             HostKey {etc}/ssh_host_ed25519_key\n\
             AuthorizedKeysFile {etc}/authorized_keys\n\
             PidFile {root}/run/sshd.pid\n\
             AllowUsers {user}\n\
             PubkeyAuthentication yes\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n\
             UsePAM no\n\
             UseDNS no\n\
             StrictModes no\n\
             PrintMotd no\n\
             PrintLastLog no\n\
             X11Forwarding no\n\
             AllowTcpForwarding no\n\
             AllowAgentForwarding no\n\
             MaxStartups 100:30:200\n\
             MaxSessions 100\n\
             Subsystem sftp internal-sftp\n\
             SetEnv HOME={root} {mark}={dir}\n",
            address = self.spec.address,
            port = self.ssh_port,
            etc = etc.display(),
            root = self.root.display(),
            user = self.user,
            mark = processes::MARK,
            dir = self.dir.display(),
        )
    }
}
