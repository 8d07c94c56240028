//! Lines of the audit trail as events of the Open Cybersecurity Schema Framework, which collectors of security events read.
//! A test of the browser suite holds them against the published schema.

use domain::audit::Changed;
use serde_json::{Map, Value, json};
use view::audit::AuditRow;

/// Of the schema (<https://schema.ocsf.io>).
const VERSION: &str = "1.5.0";
/// Identity & Access Management.
const CATEGORY: u32 = 3;
const OTHER: u32 = 99;
const INFORMATIONAL: u32 = 1;
const OPENID: u32 = 4;

/// What a line is to the schema.
#[derive(Clone, Copy)]
enum Class {
    AccountChange,
    Authentication,
    EntityManagement,
    UserAccess,
}

impl Class {
    const fn number(self) -> u32 {
        match self {
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::EntityManagement => 3004,
            Self::UserAccess => 3005,
        }
    }
}

/// The class of an action, and the number of the activity in it.
fn class_of(action: &str) -> (Class, u32) {
    match action {
        "person.enable" => (Class::AccountChange, 2),
        "person.disable" => (Class::AccountChange, 5),
        "person.sign_in" | "person.turn_away" => (Class::Authentication, 1),
        "session.end" => (Class::Authentication, 2),
        "grant.give" => (Class::UserAccess, 1),
        "grant.end" => (Class::UserAccess, 2),
        other => {
            let activity = match other.rsplit('.').next() {
                Some("create" | "add") => 1,
                Some("export") => 2,
                Some("set" | "reach" | "playbooks") => 3,
                Some("remove") => 4,
                _ => OTHER,
            };
            (Class::EntityManagement, activity)
        }
    }
}

/// One event.
pub fn event(row: &AuditRow) -> Value {
    let (class, activity) = class_of(&row.action);
    let failed = matches!(row.action.as_str(), "person.turn_away" | "access.refuse");
    let mut event = json!({
        "category_uid": CATEGORY,
        "class_uid": class.number(),
        "activity_id": activity,
        "type_uid": class.number() * 100 + activity,
        "activity_name": row.action,
        "time": row.at.as_millisecond(),
        "severity_id": INFORMATIONAL,
        "status_id": if failed { 2 } else { 1 },
        "message": row.summary,
        "metadata": {
            "version": VERSION,
            "uid": row.id,
            "event_code": row.action,
            "log_name": "audit",
            "product": { "name": "Slipway", "vendor_name": "Slipway", "version": env!("CARGO_PKG_VERSION") },
        },
        "actor": actor(row),
    });
    let mut add = |name: &str, value: Value| event[name] = value;
    if !row.request_id.is_empty() {
        add("http_request", json!({ "uid": row.request_id }));
    }
    if !row.address.is_empty() {
        add("src_endpoint", json!({ "ip": row.address }));
    }
    match class {
        Class::EntityManagement => {
            add("entity", entity(row, |changed| &changed.before));
            if !row.changes.is_empty() {
                add("entity_result", entity(row, |changed| &changed.after));
            }
            if !row.reason.is_empty() {
                add("comment", json!(row.reason));
            }
        }
        Class::AccountChange => add("user", named(&row.object_name, &row.object_id)),
        Class::Authentication => {
            add("user", named(&row.object_name, &row.object_id));
            add("service", json!({ "name": "Slipway" }));
            add("auth_protocol_id", json!(OPENID));
            add("is_remote", json!(true));
        }
        Class::UserAccess => {
            add("user", named(&row.object_name, &row.object_id));
            let role = row
                .changes
                .iter()
                .flat_map(|changed| [&changed.before, &changed.after]);
            let role: Vec<&String> = role.filter(|role| !role.is_empty()).collect();
            add(
                "privileges",
                if role.is_empty() {
                    json!([row.summary])
                } else {
                    json!(role)
                },
            );
        }
    }
    let mut unmapped = Map::new();
    if !matches!(class, Class::EntityManagement) && !row.reason.is_empty() {
        unmapped.insert("reason".to_owned(), json!(row.reason));
    }
    if let Some(token) = &row.token {
        unmapped.insert("token".to_owned(), json!(token));
    }
    if !unmapped.is_empty() {
        add("unmapped", Value::Object(unmapped));
    }
    event
}

fn actor(row: &AuditRow) -> Value {
    let decided = json!([{ "policy": { "name": row.allowed_by } }]);
    match &row.actor_id {
        Some(id) => json!({ "user": named(&row.actor, id), "authorizations": decided }),
        None => json!({ "app_name": row.actor, "authorizations": decided }),
    }
}

/// By name and id, as far as it has them.
fn named(name: &str, id: &str) -> Value {
    let given = [("name", name), ("uid", id)].into_iter();
    let given = given.filter(|(_, text)| !text.is_empty());
    let named: Map<_, _> = given
        .map(|(key, text)| (key.to_owned(), json!(text)))
        .collect();
    Value::Object(named)
}

/// What the line is about, with what it changed as `side` tells it.
fn entity(row: &AuditRow, side: impl Fn(&Changed) -> &String) -> Value {
    let of_all = row.object_id.is_empty() && row.object_name.is_empty();
    let name = if of_all {
        &row.object_kind
    } else {
        &row.object_name
    };
    let mut entity = named(name, &row.object_id);
    entity["type"] = json!(row.object_kind);
    if !row.changes.is_empty() {
        let data = row
            .changes
            .iter()
            .map(|changed| (changed.what.clone(), json!(side(changed))));
        entity["data"] = Value::Object(data.collect());
    }
    entity
}
