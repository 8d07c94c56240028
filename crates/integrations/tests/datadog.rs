//! The client against a server that answers as Datadog was recorded to.

#![expect(clippy::unwrap_used, reason = "a test ends where its setting fails")]

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::Response,
};
use integrations::datadog::{AlertType, Client, Error, Event, Queried, Selection};
use jiff::Timestamp;

/// Gives out prepared answers in turn, the last one for ever, and remembers what was asked.
#[derive(Clone, Default)]
struct Datadog {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<(String, String, String)>>>,
}

#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
}

fn answer(status: u16, body: &'static str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", "application/json")],
        body,
    }
}

fn limited(reset: &'static str) -> Answer {
    Answer {
        status: 429,
        headers: vec![("x-ratelimit-reset", reset)],
        body: "<html>slow down</html>",
    }
}

async fn respond(State(datadog): State<Datadog>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let key = |name: &str| {
        parts
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    let body = String::from_utf8(to_bytes(body, 10_000).await.unwrap().to_vec()).unwrap();
    let keys = format!("{} {}", key("dd-api-key"), key("dd-application-key"));
    datadog
        .asked
        .lock()
        .unwrap()
        .push((format!("{} {}", parts.method, parts.uri), keys, body));
    let mut answers = datadog.answers.lock().unwrap();
    let answer = if answers.len() > 1 {
        answers.pop_front().unwrap()
    } else {
        answers[0].clone()
    };
    answer
        .headers
        .iter()
        .fold(
            Response::builder().status(answer.status),
            |response, (name, value)| response.header(*name, *value),
        )
        .body(Body::from(answer.body))
        .unwrap()
}

async fn datadog(answers: impl Into<VecDeque<Answer>>) -> (Datadog, Client) {
    let datadog = Datadog {
        answers: Arc::new(Mutex::new(answers.into())),
        ..Datadog::default()
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let router = Router::new().fallback(respond).with_state(datadog.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (
        datadog,
        Client::new(base, "api".into(), "app".into()).unwrap(),
    )
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

const QUERY: &str = r#"{"status":"ok","resp_version":1,"series":[{"end":1641430499000,"attributes":{},"metric":"slipway_demo.errors","interval":20,
 "tag_set":["host:web-1"],"start":1641344100000,"length":3,"query_index":0,"aggr":"sum","scope":"env:production,host:web-1,service:checkout",
 "pointlist":[[1641344100000,2.0],[1641344120000,null],[1641344140000,4.5]],"expression":"e","unit":[{"family":"percentage","scale_factor":1,"id":17},null],
 "display_name":"slipway_demo.errors"}],"to_date":1641344145000,"query":"q","message":"","res_type":"time_series","times":[],"from_date":1641344100000,"group_by":["host"],"values":[]}"#;

#[tokio::test]
async fn a_query_is_asked_and_read() {
    let (datadog, client) = datadog([answer(200, QUERY)]).await;
    let Queried {
        series,
        at: answered,
    } = client
        .query(
            "sum:slipway_demo.errors{service:checkout} by {host}",
            at(1641344100),
            at(1641344145),
        )
        .await
        .unwrap();
    assert!(answered.is_some(), "servers say what time it is");
    assert_eq!((series.len(), series[0].tag("host")), (1, Some("web-1")));
    assert_eq!(
        series[0]
            .points
            .iter()
            .map(|point| point.value)
            .collect::<Vec<_>>(),
        [2.0, 4.5]
    );
    assert_eq!(
        series[0]
            .trusted_points(at(1641344145), at(1641344145))
            .len(),
        1
    );
    let (line, keys, _) = datadog.asked.lock().unwrap()[0].clone();
    assert_eq!(
        line,
        "GET /api/v1/query?from=1641344100&to=1641344145&query=sum%3Aslipway_demo.errors%7Bservice%3Acheckout%7D+by+%7Bhost%7D"
    );
    assert_eq!(keys, "api app");
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_and_never_an_empty_one() {
    let refused = |status, message: &str| Error::Refused {
        status,
        message: message.to_owned(),
    };
    for (given, expected) in [
        (
            answer(
                403,
                r#"{"status":"error","code":403,"errors":["Forbidden"]}"#,
            ),
            Error::Unauthorized,
        ),
        (answer(401, ""), Error::Unauthorized),
        (
            answer(400, r#"{"errors":["Error parsing query"]}"#),
            refused(400, "Error parsing query"),
        ),
        (
            answer(
                200,
                r#"{"status":"error","error":"No metric named x","series":[]}"#,
            ),
            refused(200, "No metric named x"),
        ),
        (
            answer(200, r#"{"status":"error","series":[]}"#),
            refused(200, "it gave no reason"),
        ),
        (answer(503, "<html>"), refused(503, "it gave no reason")),
        (
            Answer {
                status: 302,
                headers: vec![("location", "/elsewhere")],
                body: "",
            },
            refused(302, "it gave no reason"),
        ),
    ] {
        let (datadog, client) = datadog([given.clone()]).await;
        assert_eq!(
            client.query("q", at(0), at(1)).await.unwrap_err(),
            expected,
            "{}",
            given.body
        );
        assert_eq!(datadog.asked.lock().unwrap().len(), 1);
    }
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"status":"ok"}"#,
        r#"{"series":7}"#,
    ] {
        let (_, client) = datadog([answer(200, body)]).await;
        let error = client.query("q", at(0), at(1)).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_twice_at_most_and_never_beyond_the_budget() {
    let second = Duration::from_secs(1);
    for (name, answers, budget, requests, good) in [
        (
            "over soon",
            vec![limited("0"), answer(200, QUERY)],
            second,
            2,
            true,
        ),
        (
            "twice",
            vec![limited("0"), limited("0.05"), answer(200, QUERY)],
            second,
            3,
            true,
        ),
        (
            "three times",
            vec![limited("0"), limited("0"), limited("0"), answer(200, QUERY)],
            second,
            3,
            false,
        ),
        (
            "too long",
            vec![limited("60"), answer(200, QUERY)],
            second,
            1,
            false,
        ),
        (
            "nobody knows how long",
            vec![limited("soon"), answer(200, QUERY)],
            second,
            1,
            false,
        ),
        (
            "the second wait is too much",
            vec![limited("0.3"), limited("0.8"), answer(200, QUERY)],
            second,
            2,
            false,
        ),
    ] {
        let (datadog, client) = datadog(answers).await;
        let result = client
            .with_wait_budget(budget)
            .query("q", at(0), at(1))
            .await;
        assert_eq!(result.is_ok(), good, "{name}: {result:?}");
        assert!(
            good || matches!(result, Err(Error::RateLimited { .. })),
            "{name}: {result:?}"
        );
        assert_eq!(datadog.asked.lock().unwrap().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn keys_are_checked() {
    let (_, client) = datadog([answer(200, r#"{"valid":true}"#)]).await;
    assert_eq!(client.validate().await, Ok(()));
    let (_, client) = datadog([answer(200, r#"{"valid":false}"#)]).await;
    assert_eq!(client.validate().await, Err(Error::Unauthorized));
    let (_, client) = datadog([answer(403, r#"{"errors":["Forbidden"]}"#)]).await;
    assert_eq!(client.validate().await, Err(Error::Unauthorized));
}

#[tokio::test]
async fn all_pages_of_hosts_are_read() {
    let first = r#"{"total_returned":2,"total_matching":3,"host_list":[
        {"name":"web-1","aliases":["i-1"],"up":true,"last_reported_time":1641430000,"tags_by_source":{"Datadog":["env:x","az:a"],"AWS":["az:a"]},"meta":{},"mute_timeout":null},
        {"host_name":"web-2","name":null,"aliases":null,"up":null,"tags_by_source":null}]}"#;
    let second = r#"{"total_matching":3,"host_list":[{"id":7}]}"#;
    let (datadog, client) = datadog([answer(200, first), answer(200, second)]).await;
    let hosts = client.hosts().await.unwrap();
    assert_eq!(
        hosts
            .iter()
            .map(|host| host.name.as_str())
            .collect::<Vec<_>>(),
        ["web-1", "web-2"]
    );
    assert_eq!(
        (
            hosts[0].tags.join(" ").as_str(),
            hosts[0].up,
            hosts[0].last_reported
        ),
        ("az:a env:x", Some(true), Some(at(1641430000)))
    );
    assert!(datadog.asked.lock().unwrap()[1].0.contains("start=2"));
}

/// As Datadog was recorded to answer (shortened), with hosts of other kinds added.
#[tokio::test]
async fn hosts_become_an_inventory() {
    let first = r#"{"exact_total_matching":true,"total_returned":2,"total_matching":5,"host_list":[
        {"last_reported_time":1640288946,"name":"vagrant","is_muted":false,"mute_timeout":null,"apps":["ntp","agent"],"tags_by_source":{"Datadog":["host:vagrant","role:web","role:all"],"Chef":["role:Edge/1"]},"up":true,
         "meta":{"socket-hostname":"vagrant","nixV":["ubuntu","18.04",""],"winV":[null,null,null],"gohai":"{\"network\":{\"interfaces\":[{\"ipv4\":\"10.0.2.15\",\"name\":\"eth0\"}],\"ipaddress\":\"10.0.2.15\",\"ipaddressv6\":\"fe80::a00:27ff:fec2:be11\"}}","network":null,"host_id":1036078308,"socket-fqdn":"vagrant.vm."},
         "host_name":"vagrant","id":1036078308,"aliases":["vagrant"]},
        {"name":"db-1.example.com","aliases":["db-1","i-0a1b2c3d4e5f67890"],"id":7,"meta":{"gohai":"not json","socket-fqdn":"db-1.example.com."},"tags_by_source":{"AWS":["role:db"]}}]}"#;
    let second = r#"{"total_matching":5,"host_list":[
        {"name":"bare","meta":null,"tags_by_source":null},
        {"name":"vagrant","id":1},
        {"name":"-oProxyCommand=x"}]}"#;
    let (datadog, client) = datadog([answer(200, first), answer(200, second)]).await;
    let selection = Selection {
        filter: "env:prod".to_owned(),
        group_by: Some("role".parse().unwrap()),
    };
    let inventory = client.inventory(&selection).await.unwrap();
    let seen: Vec<_> = inventory
        .hosts
        .iter()
        .map(|host| {
            let groups: Vec<&str> = host.groups.iter().map(String::as_str).collect();
            (
                host.name.as_str(),
                groups.join(" "),
                serde_json::json!(host.variables),
            )
        })
        .collect();
    let known = |identity: &str, address: &str| serde_json::json!({"slipway_identity": identity, "ansible_host": address});
    assert_eq!(
        seen,
        [
            ("bare", String::new(), serde_json::json!({})),
            (
                "db-1.example.com",
                "db".to_owned(),
                known("i-0a1b2c3d4e5f67890", "db-1.example.com")
            ),
            (
                "vagrant",
                "Edge_1 web".to_owned(),
                known("datadog-1036078308", "10.0.2.15")
            ),
        ]
    );
    assert_eq!(inventory.left_out.len(), 1, "{:?}", inventory.left_out);
    assert!(inventory.left_out[0].contains("ProxyCommand"));
    let asked = datadog.asked.lock().unwrap();
    for part in [
        "include_hosts_metadata=true",
        "filter=env%3Aprod",
        "start=2",
    ] {
        assert!(asked[1].0.contains(part), "{}", asked[1].0);
    }
}

#[tokio::test]
async fn an_inventory_that_is_not_whole_is_refused() {
    let endless = r#"{"total_matching":1000000,"host_list":[{"name":"web-1"}]}"#;
    let (_, client) = datadog([answer(200, endless)]).await;
    let error = client.inventory(&Selection::default()).await.unwrap_err();
    assert_eq!(error, Error::TooMany { hosts: 100 });
}

#[tokio::test]
async fn an_event_is_posted() {
    let (datadog, client) = datadog([answer(
        202,
        r#"{"status":"ok","event":{"id":6327818702635911000}}"#,
    )])
    .await;
    let event = Event {
        title: "checkout 1.4.2".to_owned(),
        text: "Batch 1".to_owned(),
        alert_type: AlertType::Success,
        aggregation_key: "slipway-1".to_owned(),
        tags: vec!["service:checkout".to_owned()],
    };
    client.post_event(&event, at(1641430251)).await.unwrap();
    let (line, _, body) = datadog.asked.lock().unwrap()[0].clone();
    assert_eq!(line, "POST /api/v1/events");
    let expected = serde_json::json!({"title":"checkout 1.4.2","text":"Batch 1","alert_type":"success","aggregation_key":"slipway-1","tags":["service:checkout"],"date_happened":1641430251});
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&body).unwrap(),
        expected
    );
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address_and_without_the_keys() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(
        format!("http://{address}").parse().unwrap(),
        "s3cret".into(),
        "s3cret".into(),
    )
    .unwrap();
    let error = client.validate().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let said = format!("{error} {error:?} {client:?}");
    assert!(
        said.contains(&address.to_string()) && said.contains("refused") && !said.contains("s3cret"),
        "{said}"
    );
}
