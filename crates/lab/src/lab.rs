//! Starts everything, and ends everything.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::serve::ListenerExt;
use futures::future::try_join_all;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::artifacts::{self, INSTALL_ROOT, SERVICE};
use crate::datadog;
use crate::faults::{self, Fault, Hosts, Refused};
use crate::fleet::{self, HostSpec};
use crate::folder::Folder;
use crate::hosts::{Host, Site};
use crate::idp::IdentityProvider;
use crate::record::{Artifact, DatadogKeys, Record, Service, Ssh};
use crate::{disk, ports, secrets, sshd};

/// What lab to start. A port of 0 takes a free one.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything the lab writes goes here.
    pub dir: PathBuf,
    pub dev: u16,
    pub production: u16,
    /// Origins of the consoles that may sign people in, such as `http://127.0.0.1:8400`.
    pub consoles: Vec<Url>,
    /// Every host has its own address, so all listen on the same port; 0 gives each its own.
    pub ssh_port: u16,
    /// The same on every host.
    pub health_port: u16,
    pub datadog_port: u16,
    pub oidc_port: u16,
    /// Seconds of past traffic the daemons report when the lab starts, so that there is something to compare with.
    pub history: u32,
    /// Puts every host back to the baseline release first.
    pub fresh: bool,
    /// The folder with `idp.mjs` and its `node_modules`.
    pub assets: PathBuf,
}

impl Options {
    /// Three dev and six production hosts in `dir`, on the usual ports, for no console yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            dev: 3,
            production: 6,
            consoles: Vec::new(),
            ssh_port: 2222,
            health_port: 8480,
            datadog_port: 8403,
            oidc_port: 8402,
            history: 900,
            fresh: false,
            assets: Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"),
        }
    }

    /// The same with every port free.
    pub fn on_free_ports(self) -> Self {
        Self {
            ssh_port: 0,
            health_port: 0,
            datadog_port: 0,
            oidc_port: 0,
            ..self
        }
    }
}

/// A running lab. Stopping or dropping it ends every process of it.
pub struct Lab {
    record: Record,
    hosts: Arc<Hosts>,
    identity_provider: IdentityProvider,
    _server: Server,
    // Last, because it ends what is left and then gives up the lock.
    folder: Folder,
}

impl Lab {
    /// Starts the lab and returns when every part of it answers. On an error nothing is left running.
    pub async fn start(options: Options) -> Result<Self> {
        sshd::prepare()?;
        let specs = fleet::fleet(options.dev, options.production)?;
        let addresses: Vec<Ipv4Addr> = specs.iter().map(|spec| spec.address).collect();
        let folder = Folder::claim(&options.dir)?;
        let dir = folder.path();
        let secrets = secrets::load_or_create(dir)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.datadog_port))
            .await
            .map_err(|_| {
                ports::taken(Ipv4Addr::LOCALHOST, options.datadog_port, "--datadog-port")
            })?;
        ports::free(Ipv4Addr::LOCALHOST, options.oidc_port, "--oidc-port")?;
        let datadog = DatadogKeys {
            url: format!("http://{}", listener.local_addr()?),
            api_key: secrets.datadog_api_key.clone(),
            app_key: secrets.datadog_app_key.clone(),
        };
        let service = Service {
            slug: SERVICE.to_owned(),
            install_root: INSTALL_ROOT.to_owned(),
            health_port: ports::free_everywhere(&addresses, options.health_port, "--health-port")?,
        };
        let artifacts_dir = dir.join("artifacts");
        let artifacts = artifacts::build(&artifacts_dir)?;
        if options.fresh {
            folder.remove_software()?;
        }
        let ssh = Ssh {
            private_key: dir.join("ssh/id_ed25519"),
            known_hosts: dir.join("ssh/known_hosts"),
        };
        let site = Site {
            dir: dir.to_owned(),
            user: sshd::user()?,
            authorized_key: ssh_key(&ssh)?,
            health_port: service.health_port,
            datadog: datadog.clone(),
        };
        let mut ready = prepare(&site, specs, options.ssh_port, &artifacts.baseline)?;
        let known: String = ready.iter().map(|host| host.known_host() + "\n").collect();
        disk::write(&ssh.known_hosts, known.as_bytes(), 0o644)?;
        let records = ready.iter().map(Host::record).collect();

        try_join_all(ready.iter_mut().map(Host::connect)).await?;
        let hosts = Arc::new(Hosts::new(ready));
        let server = Server::start(
            listener,
            datadog::router(&datadog, faults::router(hosts.clone())),
        );
        let (_, (identity_provider, oidc)) = tokio::try_join!(
            hosts.start_daemons(options.history),
            IdentityProvider::start(
                dir,
                &options.assets,
                options.oidc_port,
                &options.consoles,
                &secrets
            ),
        )?;
        let record = Record {
            datadog,
            oidc,
            hosts: records,
            ssh,
            artifacts_dir,
            artifacts,
            service,
        };
        record.write(dir)?;
        Ok(Self {
            record,
            hosts,
            identity_provider,
            _server: server,
            folder,
        })
    }

    /// What `lab.json` says.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The absolute path of the lab's folder.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Sets the fault of a host and returns once it is in effect (the daemon looks once a second).
    pub async fn set_fault(&self, host: &str, fault: Fault) -> Result<(), Refused> {
        self.hosts.set(host, fault).await
    }

    /// Returns only if a part of the lab has ended by itself, with a sentence about it.
    pub async fn broken(&mut self) -> String {
        self.identity_provider.ended().await
    }

    /// Ends every process of the lab; an error names those that would not end.
    pub fn stop(self) -> Result<()> {
        self.folder.end_processes()
    }
}

/// The Datadog-compatible endpoint's task; it ends when dropped.
struct Server(JoinHandle<()>);

impl Server {
    fn start(listener: TcpListener, router: Router) -> Self {
        // Small answers would otherwise wait 40 ms for an acknowledgement.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        Self(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!("the Datadog-compatible endpoint ended: {error}");
            }
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn prepare(
    site: &Site,
    specs: Vec<HostSpec>,
    ssh_port: u16,
    baseline: &Artifact,
) -> Result<Vec<Host>> {
    specs
        .into_iter()
        .map(|spec| {
            let port = ports::free(spec.address, ssh_port, "--ssh-port")?;
            Host::prepare(site, spec, port, baseline)
        })
        .collect()
}

/// Makes the key that opens every host, and returns the line for `authorized_keys`.
fn ssh_key(ssh: &Ssh) -> Result<String> {
    if let Some(folder) = ssh.private_key.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(sshd::key_pair(&ssh.private_key)? + "\n")
}
