//! Keyset pages: a cursor is the key of the last row given, so that pages stay where they are when rows are added.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use view::page::Page;

use crate::error::{Result, StoreError};

/// Rows a page may have at most.
const MOST: u32 = 1000;

/// How many rows to ask for: one more than the page, to know whether another follows.
pub(crate) fn fetch(limit: u32) -> i64 {
    i64::from(limit.clamp(1, MOST)) + 1
}

/// Reads a cursor that anybody may have made up.
pub(crate) fn read<K: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<K>> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let invalid = || StoreError::Invalid {
        field: "cursor",
        message: "This page marker is not one Slipway gave. Start from the first page.".to_owned(),
    };
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|_| invalid())
}

/// Cuts the extra row off and makes the cursor that continues.
pub(crate) fn page<K: Serialize, T>(mut rows: Vec<(K, T)>, limit: u32) -> Result<Page<T>> {
    let most = limit.clamp(1, MOST) as usize;
    let more = rows.len() > most;
    rows.truncate(most);
    let next = match rows.last() {
        Some((key, _)) if more => {
            Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).map_err(StoreError::defect)?))
        }
        _ => None,
    };
    Ok(Page {
        items: rows.into_iter().map(|(_, row)| row).collect(),
        next,
    })
}
