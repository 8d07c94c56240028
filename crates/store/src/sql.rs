//! A statement under construction. Only literal text gets into it; values are always bound.

use domain::{Timestamp, id};
use policy::{Scope, Teams};
use sqlx::{
    Any, AssertSqlSafe, Executor,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use crate::{
    cells::Cells,
    error::{Result, StoreError},
};

/// Rows written by one statement. Times the columns, it stays below what either database can bind (32,766).
pub(crate) const CHUNK: usize = 500;

/// A bound value; a NULL knows its type because PostgreSQL asks for it.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
}

/// A statement with its bound values.
#[derive(Debug)]
pub(crate) struct Sql {
    text: String,
    args: Vec<Arg>,
}

impl Sql {
    /// Starts with literal text, in which `$1`, `$2` … stand for what `with` adds.
    pub fn new(text: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            args: Vec::new(),
        }
    }

    /// Adds the value of the next placeholder already in the text.
    pub fn with(mut self, value: impl Into<Arg>) -> Self {
        self.args.push(value.into());
        self
    }

    /// Goes on with literal text.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Writes a placeholder and binds its value.
    pub fn bind(&mut self, value: impl Into<Arg>) -> &mut Self {
        self.args.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.args.len().to_string());
        self
    }

    /// `($1, $2, …)` for `IN`; matches nothing when there are no values. Of no more than a chunk, the last is bound again and
    /// again until there are 1, 2, 4, 8 …: each number of values is another statement, and so both databases know all of
    /// them soon.
    pub fn list<T: Into<Arg>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        let mut values: Vec<Arg> = values.into_iter().map(Into::into).collect();
        let Some(last) = values.last().cloned() else {
            return self.push("(NULL)");
        };
        if values.len() <= CHUNK {
            values.resize(values.len().next_power_of_two(), last);
        }
        self.tuple(values)
    }

    /// `($1, $2, …)`, as many as there are.
    pub fn tuple(&mut self, values: impl IntoIterator<Item = Arg>) -> &mut Self {
        for (at, value) in values.into_iter().enumerate() {
            self.push(if at == 0 { "(" } else { ", " }).bind(value);
        }
        self.push(")")
    }

    /// `($1, $2), ($3, $4), …`, one tuple for each row.
    pub fn tuples(&mut self, rows: impl IntoIterator<Item = Vec<Arg>>) -> &mut Self {
        for (at, row) in rows.into_iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.tuple(row);
        }
        self
    }

    /// ` AND column IN (the teams that may be seen)`.
    pub fn scope(&mut self, column: &'static str, scope: &Scope) -> &mut Self {
        match scope.teams() {
            Teams::All => self,
            Teams::Of(teams) => self
                .push(" AND ")
                .push(column)
                .push(" IN ")
                .list(teams.iter().copied()),
        }
    }

    fn query(self) -> Result<Query<'static, Any, AnyArguments>> {
        let mut query = sqlx::query(AssertSqlSafe(self.text));
        for arg in self.args {
            match arg {
                Arg::Text(text) => query.try_bind(text),
                Arg::Int(number) => query.try_bind(number),
            }
            .map_err(StoreError::defect)?;
        }
        Ok(query)
    }

    /// Runs it; gives the number of rows it changed.
    pub async fn run<'e>(self, on: impl Executor<'e, Database = Any>) -> Result<u64> {
        Ok(self.query()?.execute(on).await?.rows_affected())
    }

    /// Every row of `table`, as `read` understands it. `key` is the column a row is known by.
    pub async fn all<'e, T>(
        self,
        on: impl Executor<'e, Database = Any>,
        source: Source,
        read: impl Fn(&Cells<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let rows: Vec<AnyRow> = self.query()?.fetch_all(on).await?;
        rows.iter()
            .map(|row| read(&Cells::new(row, source)))
            .collect()
    }

    /// Every row that can be read; the others are logged.
    pub async fn readable<'e, T>(
        self,
        on: impl Executor<'e, Database = Any>,
        source: Source,
        read: impl Fn(&Cells<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        Ok(self.readable_of(on, source, read).await?.0)
    }

    /// As `readable`, with the number of all rows.
    pub async fn readable_of<'e, T>(
        self,
        on: impl Executor<'e, Database = Any>,
        source: Source,
        read: impl Fn(&Cells<'_>) -> Result<T>,
    ) -> Result<(Vec<T>, usize)> {
        let rows = self.all(on, source, |cells| Ok(read(cells))).await?;
        let all = rows.len();
        let readable = rows.into_iter().filter_map(|row| {
            row.inspect_err(|error| tracing::error!(%error, "a row was passed over"))
                .ok()
        });
        Ok((readable.collect(), all))
    }

    /// The row, if there is one.
    pub async fn optional<'e, T>(
        self,
        on: impl Executor<'e, Database = Any>,
        source: Source,
        read: impl Fn(&Cells<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let row: Option<AnyRow> = self.query()?.fetch_optional(on).await?;
        row.map(|row| read(&Cells::new(&row, source))).transpose()
    }
}

/// Table that rows come from and the column they are known by, for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub table: &'static str,
    pub key: &'static str,
}

/// Names where rows come from.
pub(crate) const fn source(table: &'static str, key: &'static str) -> Source {
    Source { table, key }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Arg {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u32> for Arg {
    fn from(number: u32) -> Self {
        Self::Int(Some(number.into()))
    }
}

impl From<Timestamp> for Arg {
    fn from(at: Timestamp) -> Self {
        Self::Int(Some(at.as_millisecond()))
    }
}

impl From<Option<Timestamp>> for Arg {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Int(at.map(Timestamp::as_millisecond))
    }
}

macro_rules! ids {
    ($($id:ident)*) => {$(
        impl From<id::$id> for Arg {
            fn from(id: id::$id) -> Self {
                Self::Text(Some(id.to_string()))
            }
        }

        impl From<Option<id::$id>> for Arg {
            fn from(id: Option<id::$id>) -> Self {
                Self::Text(id.map(|id| id.to_string()))
            }
        }
    )*};
}

ids! { AttemptId AuditEventId ChangeRequestId DeploymentId EnvironmentId GrantId HostId JobId OutboxId ProjectId RolloutId ServiceId TeamId TokenId UserId VariableId }
