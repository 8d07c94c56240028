//! What can go wrong on a host, and how a person or a program asks the running lab for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use clap::ValueEnum;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use crate::hosts::Host;
use crate::record::Record;

const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A host has one fault at a time; a new one takes the place of the old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// Requests take eight times as long.
    Slow,
    /// 30 % of the requests fail, and /health answers 500.
    Failing,
    /// No SSH: the listener and all sessions are gone. The daemon runs on.
    Unreachable,
    /// The daemon reports nothing.
    Silent,
    /// No fault.
    Clear,
}

impl Fault {
    /// The fault's name on the command line and in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Failing => "failing",
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Clear => "clear",
        }
    }
}

/// The hosts of a running lab.
pub struct Hosts(Mutex<Vec<Host>>);

impl Hosts {
    pub fn new(hosts: Vec<Host>) -> Self {
        Self(Mutex::new(hosts))
    }

    /// Sets the fault of one host and returns once it is in effect (the daemon reads it within a second).
    pub async fn set(&self, name: &str, fault: Fault) -> Result<(), Refused> {
        let mut hosts = self.0.lock().await;
        let Some(host) = hosts.iter_mut().find(|host| host.name() == name) else {
            let known = hosts.iter().map(Host::name).collect::<Vec<_>>().join(", ");
            return Err(Refused::NoSuchHost(format!(
                "the lab has no host {name:?}; it has {known}"
            )));
        };
        host.set_fault(fault)
            .await
            .map_err(|error| Refused::Failed(format!("{error:#}")))
    }

    /// Starts every daemon and returns once all are well.
    pub async fn start_daemons(&self, history: u32) -> Result<()> {
        let hosts = self.0.lock().await;
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
        try_join_all(hosts.iter().map(async |host| {
            host.start_daemon(history).await?;
            host.until_healthy(&client).await
        }))
        .await?;
        Ok(())
    }

    async fn all(&self) -> Vec<(String, Fault)> {
        self.0
            .lock()
            .await
            .iter()
            .map(|host| (host.name().to_owned(), host.fault()))
            .collect()
    }
}

/// Why a fault could not be set, as a sentence.
#[derive(Debug)]
pub enum Refused {
    NoSuchHost(String),
    Failed(String),
}

impl Refused {
    pub fn sentence(&self) -> &str {
        match self {
            Self::NoSuchHost(sentence) | Self::Failed(sentence) => sentence,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Request {
    host: String,
    fault: Fault,
}

/// GET and POST `/faults`; the caller guards it.
pub fn router(hosts: Arc<Hosts>) -> Router {
    Router::new()
        .route("/faults", get(list).post(set))
        .with_state(hosts)
}

async fn list(State(hosts): State<Arc<Hosts>>) -> Response {
    let faults: Vec<_> = hosts
        .all()
        .await
        .into_iter()
        .map(|(host, fault)| json!({ "host": host, "fault": fault }))
        .collect();
    Json(faults).into_response()
}

async fn set(State(hosts): State<Arc<Hosts>>, Json(request): Json<Request>) -> Response {
    match hosts.set(&request.host, request.fault).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => {
            let status = match refused {
                Refused::NoSuchHost(_) => StatusCode::NOT_FOUND,
                Refused::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, Json(json!({ "errors": [refused.sentence()] }))).into_response()
        }
    }
}

/// Asks the lab that runs in `dir` to set a fault.
pub async fn ask(dir: &Path, host: &str, fault: Fault) -> Result<()> {
    let record = Record::read(dir)?;
    let answer = reqwest::Client::new()
        .post(format!("{}/lab/faults", record.datadog.url))
        .header("DD-API-KEY", &record.datadog.api_key)
        .json(&Request {
            host: host.to_owned(),
            fault,
        })
        .send()
        .await
        .with_context(|| {
            format!(
                "the lab in {} does not run: start it with `slipway-lab up --dir {0}`",
                dir.display()
            )
        })?;
    if answer.status().is_success() {
        return Ok(());
    }
    let errors: serde_json::Value = answer.json().await.unwrap_or_default();
    bail!(
        "{}",
        errors["errors"][0]
            .as_str()
            .unwrap_or("the lab refused without a reason")
    )
}
