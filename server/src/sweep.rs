//! Every way in, tried by everybody: by nobody, by each role, and by people of another team with ids of this one.
//!
//! What comes back is one golden file. A server function or a route of the API that is not in the list fails the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use control::{NewToken, RoleRule, SignIn};
use domain::{audit, id::UserId};
use policy::Role;
use testkit::{Database, World};

use crate::{
    api,
    auth::session::AtProvider,
    testing::{Lab, ask, lab_on, text},
};

/// What is called, with placeholders for what belongs to the team payments.
struct Call {
    /// Method and path as it is routed.
    route: &'static str,
    /// The path as it is asked for, where it has parts.
    path: &'static str,
    /// A form for a server function, JSON for the API.
    body: &'static str,
}

const fn call(route: &'static str, body: &'static str) -> Call {
    Call {
        route,
        path: "",
        body,
    }
}

const fn at(route: &'static str, path: &'static str, body: &'static str) -> Call {
    Call { route, path, body }
}

const ACT: &str = "input[rollout]={requested}&input[decision_version]={requested_version}&input[batch]=1&input[reason]=A sweep.&input[decision]=go&input[bake]=runs&input[extend]=1h&input[hosts]=web-00001&input[digest]={digest}";
const STEER: &str = "input[rollout]={released}&input[decision_version]={released_version}&input[batch]=1&input[reason]=A sweep.&input[decision]=go&input[bake]=runs&input[extend]=1h&input[hosts]=web-00001&input[digest]={digest}";
const ROLLOUT: &str = "input[service]=checkout&input[environment]=production&input[version]=8.8.8&input[artifact]=https://artifacts.example.org/checkout.tar.gz&input[sha256]=0000000000000000000000000000000000000000000000000000000000000000&input[split]=100%&input[bake]=1h&input[gate]=automatic&input[reason]=A sweep.";
const INVENTORY: &str = "input[environment]=production&input[source]=text&input[inventory]=web-00099&input[absent]=keep&input[seen]=0000000000000000000000000000000000000000000000000000000000000000";

/// Reading first: what changes something may change what comes after it, so each one's turn is fixed.
const CALLS: &[Call] = &[
    call("POST /api/frame/show", ""),
    call("POST /api/audit/list", "query[kind]="),
    call(
        "POST /api/audit/list",
        "query[kind]=rollout&query[id]={released}",
    ),
    call("POST /api/delivery/show", "days=90"),
    call("POST /api/environment/list", ""),
    call("POST /api/environment/show", "slug=production"),
    call("POST /api/host/difference", INVENTORY),
    call("POST /api/host/look", INVENTORY),
    call("POST /api/job/list", "query[state]=open"),
    call("POST /api/job/list", "query[service]=checkout"),
    call("POST /api/job/show", "id={job}"),
    call(
        "POST /api/job/page",
        "id={job}&wish[from]=1&wish[limit]=10&wish[find]=&wish[after]=0&wish[by_task]=false",
    ),
    call("POST /api/job/log", "id={job}&from=1&limit=10"),
    call("POST /api/job/times", "id={job}"),
    call("POST /api/job/foreseen", "id={job}"),
    call("POST /api/person/list", ""),
    call("POST /api/person/show", ""),
    call("POST /api/person/show", "id={maria}"),
    call("POST /api/project/list", ""),
    call("POST /api/rollout/list", "query[state]="),
    call("POST /api/rollout/list", "query[service]=checkout"),
    call("POST /api/rollout/show", "id={released}"),
    call("POST /api/rollout/hosts", "id={released}"),
    call("POST /api/rollout/trouble", "id={released}"),
    call("POST /api/rollout/charts", "id={released}"),
    call("POST /api/rollout/form", ""),
    call("POST /api/rollout/preview", ROLLOUT),
    call("POST /api/rollout/look", ROLLOUT),
    call("POST /api/service/list", ""),
    call("POST /api/service/show", "slug=checkout"),
    call("POST /api/service/form", ""),
    call("POST /api/token/list", ""),
    at(
        "GET /api/v1/access/explain",
        "/api/v1/access/explain?action=release&resource=rollout:{released}",
        "",
    ),
    at(
        "GET /api/v1/access/explain?user",
        "/api/v1/access/explain?action=read_people&resource=person&user={otto}",
        "",
    ),
    call("GET /api/v1/services", ""),
    at(
        "GET /api/v1/services/{slug}",
        "/api/v1/services/checkout",
        "",
    ),
    call("GET /api/v1/rollouts", ""),
    at(
        "GET /api/v1/rollouts/{id}",
        "/api/v1/rollouts/{released}",
        "",
    ),
    at(
        "GET /api/v1/rollouts/{id}/hosts",
        "/api/v1/rollouts/{released}/hosts",
        "",
    ),
    call("GET /api/v1/jobs", ""),
    at("GET /api/v1/jobs/{id}", "/api/v1/jobs/{job}", ""),
    at("GET /api/v1/jobs/{id}/log", "/api/v1/jobs/{job}/log", ""),
    at(
        "GET /api/v1/environments/{slug}/hosts",
        "/api/v1/environments/production/hosts",
        "",
    ),
    at(
        "POST /api/v1/environments/{slug}/inventory/diff",
        "/api/v1/environments/production/inventory/diff",
        r#"{"inventory":"web-00099"}"#,
    ),
    at(
        "GET /stream/rollouts/{id}",
        "/stream/rollouts/{released}",
        "",
    ),
    at("GET /stream/jobs/{id}/log", "/stream/jobs/{job}/log", ""),
    at(
        "GET /download/jobs/{id}/output",
        "/download/jobs/{job}/output",
        "",
    ),
    call("GET /download/audit", ""),
    call("GET /download/access", ""),
    call(
        "POST /api/variable/set",
        "input[service]=checkout&input[name]=sweep&input[kind]=text&input[value]=1",
    ),
    call(
        "POST /api/variable/remove",
        "input[service]=checkout&input[variable]=00000000-0000-7000-8000-000000000001",
    ),
    call(
        "POST /api/service/playbooks",
        "input[service]=checkout&input[playbooks]=",
    ),
    call(
        "POST /api/service/onboard",
        "input[team]=payments&input[slug]=swept&input[name]=Swept&input[host_group]=all&input[install_root]=/opt/swept&input[health_port]=8080&input[health_path]=/health&input[requests]=sum:r by {host}&input[errors]=sum:e by {host}&input[latency]=avg:l by {host}&input[liveness]=avg:u by {host}",
    ),
    call("POST /api/rollout/request", ROLLOUT),
    call("POST /api/rollout/approve", ACT),
    call("POST /api/rollout/reject", ACT),
    call("POST /api/rollout/withdraw", ACT),
    call("POST /api/rollout/release", ACT),
    call("POST /api/rollout/dry_run", STEER),
    call("POST /api/rollout/decide", STEER),
    call("POST /api/rollout/retry", STEER),
    call("POST /api/rollout/ask", STEER),
    call("POST /api/rollout/exclude", STEER),
    call("POST /api/rollout/extend", STEER),
    call("POST /api/rollout/resume", STEER),
    call("POST /api/rollout/recover", STEER),
    call(
        "POST /api/job/cancel",
        "input[job]={job}&input[reason]=A sweep.",
    ),
    at(
        "POST /api/v1/jobs/{id}/cancel",
        "/api/v1/jobs/{job}/cancel",
        r#"{"reason":"A sweep."}"#,
    ),
    call("POST /api/rollout/pause", STEER),
    call("POST /api/rollout/abort", STEER),
    call("POST /api/rollout/roll_back", STEER),
    call(
        "POST /api/environment/add",
        "input[slug]=swept&input[name]=Swept&input[purpose]=test&input[approval]=required",
    ),
    call(
        "POST /api/environment/reach",
        "input[environment]=production&input[host_keys]=strict",
    ),
    call("POST /api/host/import", INVENTORY),
    call(
        "POST /api/project/set",
        "input[slug]=swept&input[name]=Swept&input[url]=https://git.example.org/swept&input[revision]=main&input[deploy]=deploy.yml&input[probe]=probe.yml&input[roll_back]=back.yml&input[config]=ignored",
    ),
    call("POST /api/project/fetch", "project=swept"),
    call(
        "POST /api/person/give",
        "input[person]={otto}&input[role]=viewer&input[team]=payments&input[days]=1&input[reason]=A sweep.",
    ),
    call(
        "POST /api/person/take",
        "input[person]={otto}&input[grant]=00000000-0000-7000-8000-000000000001&input[reason]=A sweep.",
    ),
    call(
        "POST /api/token/make",
        "input[person]={me}&input[name]=swept&input[reach]=all&input[days]=1",
    ),
    call(
        "POST /api/token/make",
        "input[person]={otto}&input[name]=swept&input[reach]=all&input[days]=1",
    ),
    call(
        "POST /api/token/account",
        "input[name]=Swept&input[reason]=A sweep.",
    ),
    call(
        "POST /api/person/end",
        "input[person]={otto}&input[session]=",
    ),
    call(
        "POST /api/person/set",
        "input[person]={otto}&input[state]=disabled&input[reason]=A sweep.",
    ),
    call(
        "POST /api/token/end",
        "input[token]={token}&input[reason]=A sweep.",
    ),
    call("POST /theme", "theme=dark"),
    call("POST /auth/logout", ""),
    call("POST /auth/backchannel-logout", "logout_token=a.b.c"),
];

/// What only the team's own people may read.
const SECRETS: [&str; 5] = [
    "The checkout service",
    "Checkout",
    "checkout.requests",
    "7.7.6",
    "7.7.7",
];

/// Who asks: nobody, or a role in the team payments, in every team, or in the team search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Here(Role),
    Everywhere(Role),
    Elsewhere(Role),
}

impl Who {
    fn all() -> Vec<Self> {
        let everywhere = Role::ALL.iter().filter(|role| !role.needs_team());
        [Self::Nobody]
            .into_iter()
            .chain(Role::ALL.iter().map(|role| Self::Here(*role)))
            .chain(everywhere.map(|role| Self::Everywhere(*role)))
            .chain(Role::ALL.iter().map(|role| Self::Elsewhere(*role)))
            .collect()
    }

    fn grant(self) -> Option<(Role, Option<&'static str>)> {
        match self {
            Self::Nobody => None,
            Self::Here(role) => Some((role, Some("payments"))),
            Self::Everywhere(role) => Some((role, None)),
            Self::Elsewhere(role) => Some((role, Some("search"))),
        }
    }

    fn title(self) -> String {
        match self.grant() {
            None => "nobody".to_owned(),
            Some((role, None)) => format!("{role} everywhere"),
            Some((role, Some(team))) => format!("{role} of {team}"),
        }
    }
}

/// A console with two teams, and one person in it.
struct Scene {
    lab: Lab,
    router: Router,
    cookie: Option<String>,
    token: Option<String>,
    ids: BTreeMap<&'static str, String>,
}

impl Scene {
    async fn of(who: Who) -> Self {
        let world = World::new(Database::sqlite().await, 3).await;
        let released = world.released("7.7.6").await;
        let requested = world.request("7.7.7").await;
        let store = world.store();
        let jobs = store.jobs(&world.everything(), released).await.unwrap();
        let version = async |id| world.load(id).await.rollout.decision_version.to_string();
        let plan = world.load(requested).await.rollout.plan;
        let digest = plan.digest().unwrap().to_string();
        let mut ids = BTreeMap::from([
            ("{released}", released.to_string()),
            ("{released_version}", version(released).await),
            ("{requested}", requested.to_string()),
            ("{requested_version}", version(requested).await),
            ("{digest}", digest),
            ("{job}", jobs[0].id.to_string()),
            ("{maria}", world.maria.user.to_string()),
            ("{otto}", world.otto.user.to_string()),
        ]);
        let lab = lab_on(world.db, |settings| {
            let playbooks = concat!(env!("CARGO_MANIFEST_DIR"), "/../automation/ansible");
            settings.ansible.project_dir = playbooks.into();
            settings.role_rules = who
                .grant()
                .map(|(role, team)| RoleRule {
                    issuer: None,
                    group: "swept".to_owned(),
                    role,
                    team: team.map(|team| team.parse().unwrap()),
                })
                .into_iter()
                .collect();
        })
        .await;
        let token = async |name: &str, role: Role, team: Option<&str>| {
            let new = NewToken {
                name: name.parse().unwrap(),
                roles: vec![(role, team.map(|team| team.parse().unwrap()))],
                days: 1,
            };
            lab.site.console.create_token(new).await.unwrap()
        };
        token("another", Role::Viewer, None).await;
        let another = lab.site.console.ctx(crate::testing::admin());
        let tokens = another.tokens(None).await.unwrap().page.items;
        ids.insert("{token}", tokens[0].id.to_string());
        let (cookie, token) = match who.grant() {
            None => (None, None),
            Some((role, team)) => {
                let (me, cookie) = signed_in(&lab).await;
                ids.insert("{me}", me.to_string());
                (Some(cookie), Some(token("swept", role, team).await))
            }
        };
        Self {
            router: lab.router(),
            lab,
            cookie,
            token,
            ids,
        }
    }

    fn filled(&self, text: &str) -> String {
        let ids = self.ids.iter();
        ids.fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    async fn call(&self, call: &Call) -> (StatusCode, String) {
        let (method, route) = call.route.split_once(' ').unwrap();
        let path = if call.path.is_empty() {
            route
        } else {
            call.path
        };
        let body = self.filled(call.body);
        let is_api = route.starts_with("/api/v1/");
        let kind = match is_api {
            true => "application/json",
            false => "application/x-www-form-urlencoded",
        };
        let mut request = Request::builder()
            .method(method)
            .uri(self.filled(path))
            .header(header::ORIGIN, "http://127.0.0.1:8400")
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, kind);
        if let (true, Some(token)) = (is_api, &self.token) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let (false, Some(cookie)) = (is_api, &self.cookie) {
            request = request.header(header::COOKIE, cookie);
        }
        let body = match is_api {
            true => body,
            false => body.replace(' ', "+").replace('%', "%25"),
        };
        let response = ask(&self.router, request.body(Body::from(body)).unwrap()).await;
        // A stream does not end by itself; that it began is what counts.
        let streams = response.status().is_success() && route.starts_with("/stream/");
        match streams {
            true => (response.status(), String::new()),
            false => text(response).await,
        }
    }
}

async fn signed_in(lab: &Lab) -> (UserId, String) {
    let console = &lab.site.console;
    let person = SignIn {
        issuer: "https://login.example.org".to_owned(),
        subject: "sven".to_owned(),
        name: "Sven Sweep".to_owned(),
        email: "sven@example.org".to_owned(),
        email_verified: None,
        groups: vec!["swept".to_owned()],
    };
    let person = console.sign_in(person, audit::Request::default());
    let person = person.await.unwrap().user;
    (person, lab.cookie(person, AtProvider::default()).await)
}

#[test]
fn no_way_in_is_missing_from_the_list() {
    let listed: BTreeSet<&str> = CALLS.iter().map(|call| call.route).collect();
    let functions =
        leptos::server_fn::axum::server_fn_paths().map(|(path, method)| format!("{method} {path}"));
    let missing: BTreeSet<String> = functions
        .chain(api::operations())
        .filter(|route| !listed.contains(route.as_str()))
        .collect();
    assert_eq!(missing, BTreeSet::new());
}

#[tokio::test]
async fn everybody_gets_what_they_may_and_nothing_else() {
    let everybody = Who::all();
    let mut answers: Vec<Vec<String>> = vec![Vec::new(); CALLS.len()];
    let mut leaks = Vec::new();
    for who in &everybody {
        let scene = Scene::of(*who).await;
        for (call, answers) in CALLS.iter().zip(&mut answers) {
            let (status, body) = scene.call(call).await;
            assert!(
                !status.is_server_error(),
                "{}: {} {body}",
                who.title(),
                call.route
            );
            answers.push(status.as_u16().to_string());
            if matches!(who, Who::Nobody | Who::Elsewhere(_)) {
                let told = SECRETS.iter().filter(|secret| body.contains(*secret));
                leaks.extend(
                    told.map(|secret| format!("{} {} tells {secret}", who.title(), call.route)),
                );
            }
        }
        drop(scene.lab);
    }
    assert_eq!(leaks, Vec::<String>::new());
    let mut table = String::new();
    for (number, who) in everybody.iter().enumerate() {
        writeln!(table, "{:>2} {}", number + 1, who.title()).unwrap();
    }
    table.push('\n');
    let heads: Vec<String> = (1..=everybody.len()).map(|n| format!("{n:>3}")).collect();
    writeln!(table, "{} call", heads.join(" ")).unwrap();
    for (call, answers) in CALLS.iter().zip(answers) {
        writeln!(table, "{} {}", answers.join(" "), call.route).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn nothing_is_done_by_a_link_or_another_kind_of_body() {
    let scene = Scene::of(Who::Everywhere(Role::Operator)).await;
    let functions = CALLS.iter().filter(|call| {
        call.route.starts_with("POST /api/") && !call.route.starts_with("POST /api/v1/")
    });
    for call in functions {
        let (_, path) = call.route.split_once(' ').unwrap();
        let form = scene
            .filled(call.body)
            .replace(' ', "+")
            .replace('%', "%25");
        let by = |method: &str, uri: String, kind: &str, body: String| {
            Request::builder()
                .method(method)
                .uri(uri)
                .header(header::ORIGIN, "http://127.0.0.1:8400")
                .header(header::COOKIE, scene.cookie.as_deref().unwrap_or_default())
                .header(header::CONTENT_TYPE, kind)
                .body(Body::from(body))
                .unwrap()
        };
        let none = String::new;
        let urlencoded = "application/x-www-form-urlencoded";
        let link = by(
            "GET",
            format!("{path}?{}", form.replace(' ', "+")),
            urlencoded,
            none(),
        );
        let put = by("PUT", path.to_owned(), urlencoded, form.clone());
        for request in [link, put] {
            let method = request.method().clone();
            let status = ask(&scene.router, request).await.status();
            assert!(
                matches!(status.as_u16(), 404 | 405),
                "{method} {path}: {status}"
            );
        }
        // What a foreign page can send without being asked for leave.
        let foreign = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::ORIGIN, "https://evil.example")
            .header(header::COOKIE, scene.cookie.as_deref().unwrap_or_default())
            .header(header::CONTENT_TYPE, urlencoded)
            .body(Body::from(form))
            .unwrap();
        let status = ask(&scene.router, foreign).await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "from elsewhere: {path}");
    }
}
