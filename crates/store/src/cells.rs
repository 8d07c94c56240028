//! Reading rows: every value is checked again on its way in, and an error names table, column and row.

use std::{fmt::Display, str::FromStr};

use domain::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::{Any, Decode, Row, Type, any::AnyRow};

use crate::{
    error::{Result, StoreError},
    sql::Source,
};

/// The cells of one row.
pub(crate) struct Cells<'r> {
    row: &'r AnyRow,
    source: Source,
}

impl<'r> Cells<'r> {
    pub const fn new(row: &'r AnyRow, source: Source) -> Self {
        Self { row, source }
    }

    /// The error that names this cell.
    pub fn corrupt(&self, column: &str, message: impl Display) -> StoreError {
        let row = self
            .row
            .try_get::<String, _>(self.source.key)
            .unwrap_or_else(|_| "unknown".to_owned());
        StoreError::Corrupt {
            table: self.source.table,
            column: column.to_owned(),
            row,
            message: message.to_string().trim_end_matches('.').to_owned(),
        }
    }

    fn get<T: Decode<'r, Any> + Type<Any>>(&self, column: &str) -> Result<T> {
        self.row.try_get(column).map_err(|error| match error {
            // A column the statement did not ask for is a defect, not damage.
            sqlx::Error::ColumnNotFound(_) => StoreError::defect(error),
            error => self.corrupt(column, error),
        })
    }

    pub fn text(&self, column: &str) -> Result<String> {
        self.get(column)
    }

    pub fn int(&self, column: &str) -> Result<i64> {
        self.get(column)
    }

    /// A number of things, from 0.
    pub fn count(&self, column: &str) -> Result<u32> {
        self.int(column)?
            .try_into()
            .map_err(|error| self.corrupt(column, error))
    }

    pub fn time(&self, column: &str) -> Result<Timestamp> {
        self.as_time(column, self.int(column)?)
    }

    pub fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>> {
        self.get::<Option<i64>>(column)?
            .map(|millis| self.as_time(column, millis))
            .transpose()
    }

    fn as_time(&self, column: &str, millis: i64) -> Result<Timestamp> {
        Timestamp::from_millisecond(millis).map_err(|error| self.corrupt(column, error))
    }

    /// An id, a word or a checked text.
    pub fn parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T> {
        self.text(column)?
            .parse()
            .map_err(|error| self.corrupt(column, error))
    }

    pub fn maybe<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>> {
        self.get::<Option<String>>(column)?
            .map(|text| text.parse().map_err(|error| self.corrupt(column, error)))
            .transpose()
    }

    /// A JSON document that [`document`] wrote.
    pub fn document<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        self.as_document(column, &self.text(column)?)
    }

    pub fn maybe_document<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        self.get::<Option<String>>(column)?
            .map(|text| self.as_document(column, &text))
            .transpose()
    }

    fn as_document<T: DeserializeOwned>(&self, column: &str, text: &str) -> Result<T> {
        let versioned: Versioned<T> =
            serde_json::from_str(text).map_err(|error| self.corrupt(column, error))?;
        if versioned.v == VERSION {
            Ok(versioned.data)
        } else {
            Err(self.corrupt(
                column,
                format!(
                    "the document has version {}, this Slipway reads version {VERSION}",
                    versioned.v
                ),
            ))
        }
    }
}

const VERSION: u32 = 1;

/// A document with the version of its shape, so that a later Slipway can tell old from new.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    data: T,
}

/// A value as the JSON document that is stored.
pub(crate) fn document<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(&Versioned {
        v: VERSION,
        data: value,
    })
    .map_err(StoreError::defect)
}
