//! What the hosts' sshd needs: the process, keys, a user.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;

use crate::{disk, processes};

const SSHD: &str = "/usr/sbin/sshd";

const UP_WITHIN: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(40);

/// A running sshd; dropping it ends it with its sessions.
pub struct Sshd(Child);

impl Sshd {
    /// Starts the sshd of the host in `root`, configured there, and returns once it listens at `address`.
    pub async fn start(root: &Path, address: SocketAddr) -> Result<Self> {
        let log = root.join("log/sshd.log");
        let output = fs::File::create(&log)
            .with_context(|| format!("{} could not be made", log.display()))?;
        let child = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(root.join("etc/sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .with_context(|| format!("{SSHD} could not be started"))?;
        let mut sshd = Self(child);
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                if let Ok(Some(status)) = sshd.0.try_wait() {
                    bail!("its sshd ended with {status}: see {}", log.display());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
            Ok(())
        };
        tokio::time::timeout(UP_WITHIN, listens)
            .await
            .with_context(|| {
                format!(
                    "its sshd does not listen at {address}: see {}",
                    log.display()
                )
            })??;
        Ok(sshd)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.0.id()) {
            processes::end(&processes::sshd_tree(id), Duration::ZERO);
        }
        // Already ended: this only collects the exit status.
        let _ = self.0.wait();
    }
}

/// Makes an Ed25519 key pair at `path` unless there is one, and returns the public key without its comment.
pub fn key_pair(path: &Path) -> Result<String> {
    if !path.exists() {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "slipway-lab", "-f"])
            .arg(path)
            .stdin(Stdio::null())
            .output()
            .context("ssh-keygen could not be started: install the OpenSSH client (`apt-get install openssh-client`)")?;
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr);
            bail!(
                "ssh-keygen could not make {}: {}",
                path.display(),
                why.trim()
            );
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("{} could not be protected", path.display()))?;
    let public = disk::read(&path.with_extension("pub"))?;
    let mut words = public.split_whitespace();
    match (words.next(), words.next()) {
        (Some(kind), Some(key)) => Ok(format!("{kind} {key}")),
        _ => bail!(
            "{} is not a public key: delete it and its private key",
            path.display()
        ),
    }
}

/// sshd run by root separates privileges in this folder and does not start without it.
pub fn prepare() -> Result<()> {
    if !Path::new(SSHD).exists() {
        bail!("{SSHD} is not there: install the OpenSSH server (`apt-get install openssh-server`)");
    }
    if rustix::process::getuid().is_root() {
        fs::create_dir_all("/run/sshd").context("/run/sshd could not be made for sshd")?;
    }
    Ok(())
}

/// The name of the user the lab runs as, who alone can log in.
pub fn user() -> Result<String> {
    let output = Command::new("id")
        .arg("-un")
        .output()
        .context("`id -un` could not be run")?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if name.is_empty() {
        bail!("the user the lab runs as has no name: add one to /etc/passwd");
    }
    Ok(name)
}
