//! A whole lab, small: its hosts are reached, measured, broken, mended and ended.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};
use std::time::Duration;

use lab::{Fault, Lab, Options, Record, processes};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

fn ssh(record: &Record, index: usize, command: &str) -> Output {
    let host = &record.hosts[index];
    Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "ConnectTimeout=5",
        ])
        .arg("-o")
        .arg(format!(
            "UserKnownHostsFile={}",
            record.ssh.known_hosts.display()
        ))
        .arg("-i")
        .arg(&record.ssh.private_key)
        .args(["-p", &host.port.to_string()])
        .arg(format!("{}@{}", host.user, host.address))
        .arg(command)
        .output()
        .unwrap()
}

struct Console {
    client: reqwest::Client,
    record: Record,
}

impl Console {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> reqwest::Response {
        self.client
            .get(format!("{}{path}", self.record.datadog.url))
            .header("DD-API-KEY", &self.record.datadog.api_key)
            .header("DD-APPLICATION-KEY", &self.record.datadog.app_key)
            .query(query)
            .send()
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.client
            .post(format!("{}{path}", self.record.datadog.url))
            .header("DD-API-KEY", &self.record.datadog.api_key)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// The newest value of a query over the last 30 seconds.
    async fn newest(&self, query: &str) -> Option<f64> {
        let now = jiff::Timestamp::now().as_second();
        let (from, to) = ((now - 30).to_string(), now.to_string());
        let answer: Value = self
            .get(
                "/api/v1/query",
                &[("from", &from), ("to", &to), ("query", query)],
            )
            .await
            .json()
            .await
            .unwrap();
        answer["series"][0]["pointlist"].as_array()?.last()?[1].as_f64()
    }

    async fn until(&self, query: &str, good: impl Fn(f64) -> bool) {
        let reached = async {
            while !self.newest(query).await.is_some_and(&good) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, reached).await.is_ok(),
            "{query} did not get there"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_from_start_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let console_url: url::Url = "http://127.0.0.1:8400".parse().unwrap();
    let options = Options {
        dev: 1,
        production: 1,
        history: 60,
        consoles: vec![console_url],
        ..Options::new(dir.path()).on_free_ports()
    };
    let lab = Lab::start(options.clone()).await.unwrap();
    let console = Console {
        client: reqwest::Client::new(),
        record: Record::read(lab.dir()).unwrap(),
    };
    let record = &console.record;

    // One lab in a folder.
    assert!(Lab::start(options).await.is_err());

    // The identity provider says who it is.
    let discovery: Value = console
        .client
        .get(format!(
            "{}/.well-known/openid-configuration",
            record.oidc.issuer
        ))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(discovery["issuer"], record.oidc.issuer.as_str());
    assert_eq!(
        discovery["code_challenge_methods_supported"],
        json!(["S256"])
    );

    // A host is logged in to; its home is its own folder; restarting the daemon lets the session end.
    let restart = &record.hosts[0].vars["slipway_restart_command"];
    let output = ssh(record, 0, &format!("echo $HOME && {restart} checkout"));
    assert!(output.status.success(), "{output:?}");
    let home = lab.dir().join("hosts/dev-1");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        home.display().to_string()
    );

    // It is measured, has a past, and the numbers are those of a sound service.
    console
        .until(
            "sum:slipway_demo.requests{host:dev-1}.as_count()",
            |value| value > 10.0,
        )
        .await;
    let now = jiff::Timestamp::now().as_second();
    let (from, to) = ((now - 50).to_string(), (now - 30).to_string());
    let query = "sum:slipway_demo.requests{env:dev} by {host}";
    let past: Value = console
        .get(
            "/api/v1/query",
            &[("from", &from), ("to", &to), ("query", query)],
        )
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(past["series"][0]["length"], 21);
    assert_eq!(past["series"][0]["tag_set"], json!(["host:dev-1"]));
    console
        .until("avg:slipway_demo.latency_ms{host:prod-1}", |value| {
            value < 80.0
        })
        .await;

    // Keys are checked, limits are told and forced, events come back.
    let wrong = console
        .client
        .get(format!("{}/api/v1/validate", record.datadog.url))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 403);
    assert_eq!(
        wrong.json::<Value>().await.unwrap(),
        json!({ "errors": ["Forbidden"] })
    );
    assert!(
        console
            .get("/api/v1/hosts", &[])
            .await
            .headers()
            .contains_key("x-ratelimit-reset")
    );
    console
        .post(
            "/lab/refusals",
            &json!({ "calls": 1, "reset_s": 7, "html": true }),
        )
        .await;
    let refused = console.get("/api/v1/hosts", &[]).await;
    assert_eq!(
        (
            refused.status().as_u16(),
            &refused.headers()["x-ratelimit-reset"]
        ),
        (429, &"7".parse().unwrap())
    );
    let hosts: Value = console
        .get("/api/v1/hosts", &[])
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(hosts["total_matching"], 2);
    let event =
        json!({ "title": "checkout 1.4.2", "text": "deployed", "tags": ["service:checkout"] });
    assert_eq!(console.post("/api/v1/events", &event).await.status(), 202);
    let (start, end) = ((now - 60).to_string(), (now + 60).to_string());
    let events: Value = console
        .get("/api/v1/events", &[("start", &start), ("end", &end)])
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(events["events"][0]["title"], "checkout 1.4.2");

    // A slow host is seen as slow, and well again when the fault is lifted.
    lab::faults::ask(lab.dir(), "prod-1", Fault::Slow)
        .await
        .unwrap();
    console
        .until("avg:slipway_demo.latency_ms{host:prod-1}", |value| {
            value > 200.0
        })
        .await;
    lab.set_fault("prod-1", Fault::Clear).await.unwrap();
    console
        .until("avg:slipway_demo.latency_ms{host:prod-1}", |value| {
            value < 80.0
        })
        .await;
    let unknown = lab::faults::ask(lab.dir(), "prod-9", Fault::Slow)
        .await
        .unwrap_err();
    assert!(unknown.to_string().contains("dev-1, prod-1"), "{unknown}");

    // A failing host fails its requests and says so itself.
    lab.set_fault("dev-1", Fault::Failing).await.unwrap();
    let health = format!(
        "http://{}:{}/health",
        record.hosts[0].address, record.service.health_port
    );
    assert_eq!(
        console.client.get(&health).send().await.unwrap().status(),
        500
    );
    console
        .until("sum:slipway_demo.errors{host:dev-1}.as_count()", |value| {
            value > 5.0
        })
        .await;

    // An unreachable host refuses SSH, loses its sessions, and comes back.
    lab.set_fault("dev-1", Fault::Unreachable).await.unwrap();
    assert_eq!(ssh(record, 0, "true").status.code(), Some(255));
    lab.set_fault("dev-1", Fault::Clear).await.unwrap();
    assert!(ssh(record, 0, "true").status.success());

    // Nothing is left.
    let folder = lab.dir().to_owned();
    assert!(!processes::of_lab(&folder).is_empty());
    lab.stop().unwrap();
    assert_eq!(processes::of_lab(&folder), []);
    assert_eq!(ssh(record, 1, "true").status.code(), Some(255));
    assert!(console.client.get(&health).send().await.is_err());
    let gone = lab::faults::ask(&folder, "dev-1", Fault::Slow)
        .await
        .unwrap_err();
    assert!(gone.to_string().contains("does not run"), "{gone}");
}
