//! The audit trail as a file.

use axum::{
    Extension,
    extract::Query,
    http::header,
    response::{IntoResponse as _, Response},
};
use control::Ctx;
use serde::Deserialize;
use view::{audit::AuditRow, error::ApiError, input::AuditQuery};

use crate::api::Problem;

/// What a file is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Csv,
    Jsonl,
}

#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    format: Format,
}

const HEAD: [&str; 11] = [
    "id",
    "at",
    "actor",
    "actor_kind",
    "action",
    "summary",
    "reason",
    "object_kind",
    "object_id",
    "object_name",
    "allowed_by",
];

/// The lines that the filters of the address leave, newest first.
pub async fn audit(
    Extension(ctx): Extension<Ctx>,
    Query(wanted): Query<Wanted>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let rows = ctx.audit_export(query).await?;
    let (kind, name, text) = match wanted.format {
        Format::Csv => ("text/csv; charset=utf-8", "audit.csv", csv(&rows)),
        Format::Jsonl => ("application/x-ndjson", "audit.jsonl", jsonl(&rows)),
    };
    let text = text.map_err(|why| {
        Problem(ApiError::Unavailable {
            message: format!("The file could not be written: {why}. Ask for fewer days."),
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

fn csv(rows: &[AuditRow]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEAD).map_err(|why| why.to_string())?;
    for row in rows {
        let at = row.at.to_string();
        let cells = [
            &row.id,
            &at,
            &row.actor,
            &row.actor_kind,
            &row.action,
            &row.summary,
            &row.reason,
            &row.object_kind,
            &row.object_id,
            &row.object_name,
            &row.allowed_by,
        ];
        writer
            .write_record(cells.map(|cell| harmless(cell)))
            .map_err(|why| why.to_string())?;
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

fn jsonl(rows: &[AuditRow]) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row).map_err(|why| why.to_string())?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        };
        let text = String::from_utf8(csv(&[row]).unwrap()).unwrap();
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("id,at,actor,"));
        let line = lines.next().unwrap();
        assert!(
            line.contains("\"'=HYPERLINK(\"\"http://evil\"\", \"\"a,b\"\")\""),
            "{line}"
        );
    }
}
