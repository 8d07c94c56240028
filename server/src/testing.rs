//! A console on a throw-away database, for the tests of this crate.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode},
};
use control::{AnsibleSettings, Clock as _, Console, RoleRule, Seal, SecretKey, Settings, SignIn};
use domain::{Timestamp, audit, id::UserId};
use leptos::config::LeptosOptions;
use metrics_exporter_prometheus::PrometheusBuilder;
use policy::{Grant, Role, Subject};
use tempfile::TempDir;
use testkit::Database;
use tokio::sync::watch;
use tower::ServiceExt as _;
use tower_sessions::Session;
use url::Url;

use crate::{
    auth::{
        Providers,
        session::{self, AtProvider, Sessions},
    },
    clock::SystemClock,
    config::Oidc,
    router::router,
    site::Site,
};

/// A site and what it must outlive.
pub struct Lab {
    pub site: Site,
    /// Dropped, it would end every stream.
    _stop: watch::Sender<bool>,
    _folder: TempDir,
    _database: Database,
}

pub async fn lab() -> Lab {
    lab_on(Database::sqlite().await, |_| {}).await
}

/// A lab with other settings, on a database that may have been filled.
pub async fn lab_on(database: Database, change: impl FnOnce(&mut Settings)) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings {
        data_dir: folder.path().to_path_buf(),
        database_url: database.url.clone(),
        artifacts_dir: folder.path().to_path_buf(),
        ansible: AnsibleSettings {
            playbook_bin: "ansible-playbook".into(),
            project_dir: ".".into(),
            ssh_private_key: None,
            known_hosts: None,
            forks: 1,
        },
        datadog: None,
        jobs: control::JobLimits::default(),
        outputs: control::OutputSettings::default(),
        time_scale: 1,
        role_rules: vec![RoleRule {
            issuer: None,
            group: "viewers".to_owned(),
            role: Role::Viewer,
            team: None,
        }],
        supervisor_exe: "/proc/self/exe".into(),
        worker: "test".to_owned(),
        seal: Some(Seal::new(&SecretKey([7; 32]))),
    };
    change(&mut settings);
    let console = Console::open(settings, Arc::new(SystemClock))
        .await
        .unwrap();
    let base_url: Url = "http://127.0.0.1:8400".parse().unwrap();
    // Nobody listens on port 9 of this address.
    let issuer: Url = "http://127.0.0.9:9".parse().unwrap();
    let oidc = Oidc {
        name: Oidc::MAIN.to_owned(),
        title: "Example".to_owned(),
        issuer_text: issuer.to_string(),
        issuer,
        client_id: "slipway".to_owned(),
        client_secret: None,
        scopes: vec!["openid".to_owned()],
    };
    let (stop, stopped) = watch::channel(false);
    let site = Site {
        console,
        providers: Providers::new(vec![oidc], &base_url).unwrap(),
        seal: Seal::new(&SecretKey([7; 32])),
        base_url,
        leptos: LeptosOptions::builder()
            .output_name("slipway")
            .site_root(folder.path().to_string_lossy().to_string())
            .build(),
        trusted_proxies: Arc::new([]),
        stop: stopped,
    };
    Lab {
        site,
        _stop: stop,
        _folder: folder,
        _database: database,
    }
}

/// Maria, who signed in once.
pub async fn somebody(console: &Console) -> UserId {
    let who = SignIn {
        issuer: "https://login.example.org".to_owned(),
        subject: "maria".to_owned(),
        name: "Maria Member".to_owned(),
        email: "maria@example.org".to_owned(),
        email_verified: None,
        groups: vec!["viewers".to_owned()],
    };
    let signed_in = console.sign_in(who, audit::Request::default()).await;
    signed_in.unwrap().user
}

/// Somebody who keeps people, and who never signed in.
pub fn admin() -> Subject {
    let user = UserId(uuid::Uuid::now_v7());
    let grants = vec![Grant::new(Role::Admin, None)];
    Subject::new(user, "Alma Admin".to_owned(), Vec::new(), grants)
}

impl Lab {
    pub async fn somebody(&self) -> UserId {
        somebody(&self.site.console).await
    }

    pub fn sessions(&self) -> Sessions {
        Sessions {
            console: self.site.console.clone(),
            seal: self.site.seal.clone(),
        }
    }

    /// A session of somebody, kept.
    pub async fn session(&self, user: UserId, at: AtProvider, since: Timestamp) -> Session {
        let session = Session::new(None, Arc::new(self.sessions()), None);
        session::sign_in(&session, user, at, since).await.unwrap();
        session.save().await.unwrap();
        session
    }

    /// The cookie of somebody who has signed in just now.
    pub async fn cookie(&self, user: UserId, at: AtProvider) -> String {
        let session = self.session(user, at, SystemClock.now()).await;
        format!("{}={}", session::COOKIE, session.id().unwrap())
    }

    pub fn router(&self) -> Router {
        router(
            self.site.clone(),
            PrometheusBuilder::new().build_recorder().handle(),
        )
    }
}

/// One request to a router.
pub async fn ask(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.unwrap()
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// The whole body as text.
pub async fn text(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}
