//! The audit trail, and who holds what, as files.

use axum::{
    Extension,
    extract::Query,
    http::header,
    response::{IntoResponse as _, Response},
};
use control::Ctx;
use domain::{Timestamp, audit::Changed};
use serde::{Deserialize, Serialize};
use view::{audit::AuditRow, error::ApiError, input::AuditQuery, person::HeldLine};

use crate::api::Problem;

mod ocsf;

/// What a file is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Csv,
    Jsonl,
}

/// The trail may also be written as events that collectors of security events read.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrailFormat {
    #[default]
    Csv,
    Jsonl,
    Ocsf,
}

#[derive(Debug, Deserialize)]
pub struct Wanted<F> {
    #[serde(default)]
    format: F,
}

const HEAD: [&str; 16] = [
    "id",
    "at",
    "actor",
    "actor_id",
    "actor_kind",
    "action",
    "summary",
    "reason",
    "object_kind",
    "object_id",
    "object_name",
    "allowed_by",
    "changes",
    "request_id",
    "address",
    "token",
];

/// The lines that the filters of the address leave, newest first.
pub async fn audit(
    Extension(ctx): Extension<Ctx>,
    Query(wanted): Query<Wanted<TrailFormat>>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let rows = ctx.audit_export(query).await?;
    match wanted.format {
        TrailFormat::Csv => file("audit", Format::Csv, HEAD, &rows, cells),
        TrailFormat::Jsonl => file("audit", Format::Jsonl, HEAD, &rows, cells),
        TrailFormat::Ocsf => {
            let events: Vec<_> = rows.iter().map(ocsf::event).collect();
            attached("application/x-ndjson", "audit.ocsf.jsonl", jsonl(&events))
        }
    }
}

fn cells(row: &AuditRow) -> [String; HEAD.len()] {
    [
        row.id.clone(),
        row.at.to_string(),
        row.actor.clone(),
        row.actor_id.clone().unwrap_or_default(),
        row.actor_kind.clone(),
        row.action.clone(),
        row.summary.clone(),
        row.reason.clone(),
        row.object_kind.clone(),
        row.object_id.clone(),
        row.object_name.clone(),
        row.allowed_by.clone(),
        changes(row),
        row.request_id.clone(),
        row.address.clone(),
        row.token.clone().unwrap_or_default(),
    ]
}

/// On a line each; what was not there is left out.
fn changes(row: &AuditRow) -> String {
    let lines = row.changes.iter().map(
        |Changed {
             what,
             before,
             after,
         }| {
            let what = format!("{what}:");
            let parts = [&*what, before, "→", after].into_iter();
            let there: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
            there.join(" ")
        },
    );
    lines.collect::<Vec<_>>().join("\n")
}

const HELD: [&str; 12] = [
    "kind", "id", "name", "email", "state", "role", "given_by", "reason", "since", "until",
    "seen_at", "holder",
];

/// Every role that people and tokens hold now.
pub async fn access(
    Extension(ctx): Extension<Ctx>,
    Query(wanted): Query<Wanted<Format>>,
) -> Result<Response, Problem> {
    let rows = ctx.review().await?;
    file("access", wanted.format, HELD, &rows, |row: &HeldLine| {
        let at = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        [
            row.kind.clone(),
            row.id.clone(),
            row.name.clone(),
            row.email.clone(),
            row.state.clone(),
            row.role.clone(),
            row.given_by.clone(),
            row.reason.clone(),
            at(row.since),
            at(row.until),
            at(row.seen_at),
            row.holder.clone(),
        ]
    })
}

fn file<T: Serialize, const N: usize>(
    name: &str,
    format: Format,
    head: [&str; N],
    rows: &[T],
    cells: impl Fn(&T) -> [String; N],
) -> Result<Response, Problem> {
    match format {
        Format::Csv => attached(
            "text/csv; charset=utf-8",
            &format!("{name}.csv"),
            csv(head, rows, cells),
        ),
        Format::Jsonl => attached(
            "application/x-ndjson",
            &format!("{name}.jsonl"),
            jsonl(rows),
        ),
    }
}

/// A file to keep.
fn attached(
    kind: &'static str,
    name: &str,
    text: Result<Vec<u8>, String>,
) -> Result<Response, Problem> {
    let text = text.map_err(|why| {
        Problem(ApiError::Unavailable {
            message: format!("The file could not be written: {why}."),
        })
    })?;
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, text).into_response())
}

fn csv<T, const N: usize>(
    head: [&str; N],
    rows: &[T],
    cells: impl Fn(&T) -> [String; N],
) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head).map_err(|why| why.to_string())?;
    for row in rows {
        let cells = cells(row).map(|cell| harmless(&cell));
        writer.write_record(cells).map_err(|why| why.to_string())?;
    }
    writer.into_inner().map_err(|why| why.to_string())
}

/// What a person typed must not become a formula of whoever opens the file in a spreadsheet.
/// Spreadsheets of some countries also split cells at semicolons, and all of them at lines.
fn harmless(cell: &str) -> String {
    let mut safe = String::with_capacity(cell.len() + 1);
    let mut begins = true;
    for c in cell.chars() {
        if begins && matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') {
            safe.push('\'');
        }
        begins = matches!(c, ';' | '\t' | '\r' | '\n') || (begins && c == ' ');
        safe.push(c);
    }
    safe
}

fn jsonl<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row).map_err(|why| why.to_string())?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{body::Body, extract::ConnectInfo, http::Request};

    use super::*;
    use crate::{
        auth::session::AtProvider,
        testing::{admin, ask, lab},
    };

    #[tokio::test]
    async fn the_trail_says_what_was_taken_out_and_by_which_request() {
        let lab = lab().await;
        let cookie = lab
            .cookie(lab.somebody().await, AtProvider::default())
            .await;
        let mut request = Request::get("/download/audit?words=maria")
            .header("cookie", cookie)
            .header("x-forwarded-for", "198.51.100.1")
            .body(Body::empty())
            .unwrap();
        let peer = SocketAddr::from(([203, 0, 113, 9], 4711));
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = ask(&lab.router(), request).await;
        assert_eq!(response.status(), 200);
        let ctx = lab.site.console.ctx(admin());
        let trail = ctx.audit(AuditQuery::default()).await;
        let newest = trail.unwrap().items.remove(0);
        assert_eq!(newest.action, "audit.export");
        assert_eq!(newest.reason, "words: maria");
        assert_eq!(newest.request_id, response.headers()["x-request-id"]);
        assert_eq!(newest.address, "203.0.113.9", "nobody here trusts a proxy");
    }

    #[test]
    fn a_reason_never_becomes_a_formula() {
        let row = AuditRow {
            id: "1".to_owned(),
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            actor: "Mallory".to_owned(),
            actor_kind: "person".to_owned(),
            action: "rollout.pause".to_owned(),
            summary: "checkout was paused".to_owned(),
            reason: "=HYPERLINK(\"http://evil\", \"a,b\")".to_owned(),
            object_kind: "rollout".to_owned(),
            object_id: "1".to_owned(),
            object_name: "checkout".to_owned(),
            allowed_by: "role member".to_owned(),
            actor_id: None,
            changes: Vec::new(),
            request_id: String::new(),
            token: None,
            address: String::new(),
        };
        let text = String::from_utf8(csv(HEAD, &[row], cells).unwrap()).unwrap();
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("id,at,actor,"));
        let line = lines.next().unwrap();
        assert!(
            line.contains("\"'=HYPERLINK(\"\"http://evil\"\", \"\"a,b\"\")\""),
            "{line}"
        );
    }
}
