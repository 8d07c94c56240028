//! A console on a throw-away database with a Datadog the test answers for.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{Router, http::header::DATE, middleware::map_response, response::Response};
use domain::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use testkit::{ManualClock, World, mint};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{
    AnsibleSettings, Clock, Console, DatadogSettings, OutputSettings, Seal, SecretKey, Settings,
};

struct TestClock(ManualClock);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn mint(&self) -> Uuid {
        mint()
    }

    fn random(&self) -> [u8; 32] {
        let (high, low) = testkit::mint().as_u64_pair();
        let mut bytes = [7; 32];
        bytes[..16].copy_from_slice(&[high.to_be_bytes(), low.to_be_bytes()].concat());
        bytes
    }
}

/// A console on the database of `world` that asks `datadog`, which lives in the same time.
pub(crate) async fn console(world: &World, datadog: Router) -> Console {
    console_at_its_own_time(world, in_time(world, datadog)).await
}

/// Whatever it answers is of the time of `world`.
fn in_time(world: &World, datadog: Router) -> Router {
    let clock = world.clock.clone();
    datadog.layer(map_response(move |mut response: Response| {
        let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&clock.now());
        async move {
            let now = now.unwrap().parse().unwrap();
            response.headers_mut().insert(DATE, now);
            response
        }
    }))
}

/// As [`console`], with a Datadog that tells the time as it likes.
pub(crate) async fn console_at_its_own_time(world: &World, datadog: Router) -> Console {
    let outputs = OutputSettings {
        keep_days: Some(30),
        ..OutputSettings::default()
    };
    console_with(world, datadog, |settings| settings.outputs = outputs).await
}

/// As [`console`], with other settings.
pub(crate) async fn console_with(
    world: &World,
    datadog: Router,
    change: impl FnOnce(&mut Settings),
) -> Console {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, datadog).await.unwrap() });
    let mut settings = Settings {
        // Beside the database's file.
        data_dir: world.db.folder.path().join("data"),
        database_url: world.db.url.clone(),
        artifacts_dir: "/nowhere".into(),
        ansible: AnsibleSettings {
            playbook_bin: "ansible-playbook".into(),
            project_dir: "/nowhere".into(),
            ssh_private_key: None,
            known_hosts: None,
            forks: 1,
        },
        datadog: Some(DatadogSettings {
            base_url: base_url.parse().unwrap(),
            api_key: "api".into(),
            app_key: "app".into(),
            interval_seconds: 20,
        }),
        jobs: crate::JobLimits::default(),
        outputs: OutputSettings::default(),
        time_scale: 1,
        role_rules: Vec::new(),
        supervisor_exe: "/nowhere".into(),
        worker: "test".to_owned(),
        seal: Some(Seal::new(&SecretKey([7; 32]))),
    };
    change(&mut settings);
    let clock = Arc::new(TestClock(world.clock.clone()));
    Console::open(settings, clock).await.unwrap()
}
