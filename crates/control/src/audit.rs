//! Reading the audit trail.

use domain::{Timestamp, audit::AuditNote, id::UserId, text::FieldError};
use policy::{Kind, Resource};
use store::AuditFilter;
use tokio::sync::Semaphore;
use view::{audit::AuditRow, error::ApiError, input::AuditQuery, page::Page};

use crate::{Ctx, Error};

const PAGE: u32 = 50;
/// Lines an export reads at a time, and has at most.
const PIECE: u32 = 500;
const MOST_EXPORTED: usize = 100_000;

impl Ctx {
    /// The audit trail, newest first, as far as it is asked for.
    pub async fn audit(&self, query: AuditQuery) -> Result<Page<AuditRow>, ApiError> {
        self.answer(async {
            let cursor = given(&query.cursor);
            let filter = self.filter(&query)?;
            Ok(self
                .store()
                .audit(&self.scope()?, &filter, cursor.as_deref(), PAGE)
                .await?)
        })
        .await
    }

    /// All lines that are asked for, newest first, for a file; refused where there are too many.
    pub async fn audit_export(&self, query: AuditQuery) -> Result<Vec<AuditRow>, ApiError> {
        self.answer(async {
            // Each holds its lines in memory.
            static PLACES: Semaphore = Semaphore::const_new(2);
            let _place = PLACES.acquire().await;
            let (scope, filter) = (self.scope()?, self.filter(&query)?);
            let mut rows = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let page = self
                    .store()
                    .audit(&scope, &filter, cursor.as_deref(), PIECE)
                    .await?;
                rows.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
                if rows.len() >= MOST_EXPORTED {
                    let why = format!("There are more than {MOST_EXPORTED} lines, which is too much for one file. Ask for fewer days.");
                    return Err(FieldError::new("from", why).into());
                }
            }
            let what = format!("{} lines of the audit trail", rows.len());
            self.exported(Kind::Audit, &what, &spelt(&query)).await?;
            Ok(rows)
        })
        .await
    }

    /// Writes down that somebody takes `what` out as a file, before they have it.
    pub(crate) async fn exported(&self, kind: Kind, what: &str, which: &str) -> Result<(), Error> {
        let permit = policy::export(&self.subject, Resource::new(kind, "", ""));
        let note = AuditNote::new(
            &format!("{kind}.export"),
            format!("Took {what} out as a file"),
            which,
        );
        let now = self.console.now();
        Ok(self.store().note(&permit, &note, now).await?)
    }

    /// How many lines of the audit trail the person may see.
    pub async fn audit_total(&self) -> Result<i64, ApiError> {
        self.answer(async { Ok(self.store().audit_total(&self.scope()?).await?) })
            .await
    }

    fn filter(&self, query: &AuditQuery) -> Result<AuditFilter, Error> {
        let nobody_but = self.may_read_people().is_err().then(|| self.user());
        filter(query, nobody_but)
    }
}

/// Which lines were asked for, for a person.
fn spelt(query: &AuditQuery) -> String {
    let filters = query.filters();
    let given = filters.iter().filter(|(_, value)| !value.is_empty());
    let given: Vec<String> = given
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    match given.is_empty() {
        true => "Everything they may see".to_owned(),
        false => given.join(", "),
    }
}

fn given(text: &str) -> Option<String> {
    Some(text.trim())
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn filter(query: &AuditQuery, nobody_but: Option<UserId>) -> Result<AuditFilter, Error> {
    let about = given(&query.about);
    if about
        .as_ref()
        .is_some_and(|about| !AuditQuery::ABOUT.contains(&about.as_str()))
    {
        let why = format!("Choose one of: {}.", AuditQuery::ABOUT.join(", "));
        return Err(FieldError::new("about", why).into());
    }
    Ok(AuditFilter {
        object: given(&query.kind).zip(given(&query.id)),
        with_jobs: true,
        actor: given(&query.who),
        about,
        since: day("from", &query.from, 0)?,
        until: day("to", &query.to, 1)?,
        words: query
            .words
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(10)
            .map(str::to_lowercase)
            .collect(),
        nobody_but,
    })
}

/// The beginning of a day in UTC, so many days later.
fn day(field: &'static str, text: &str, later: i64) -> Result<Option<Timestamp>, Error> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    let begin = domain::moment::begin_of_day(&text, later);
    let wrong = || FieldError::new(field, "Write a day as 2026-11-22.");
    Ok(Some(begin.ok_or_else(wrong)?))
}
