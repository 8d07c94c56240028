//! Posted forms. They are plain forms: a refused one sends the person back to its page, which finds the values and the
//! error in the session and shows both where they were typed.

use ui::prelude::*;
use ui::{Alert, Tone};
use view::error::ApiError;

use crate::frame::Framing;

/// What was typed into one form and why it was refused; empty for a form shown for the first time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    values: Vec<(String, String)>,
    error: Option<ApiError>,
}

/// What was typed into the form `id` before it came back.
pub fn typed(id: &str) -> Typed {
    match use_context::<Framing>().and_then(Framing::returned) {
        Some(returned) if returned.form == id => Typed {
            values: returned.values,
            error: returned.error,
        },
        _ => Typed::default(),
    }
}

/// What became of a form that came back to a page that does not show it any more, and so cannot say it itself. `offered`
/// tells whether the page shows the form of an id.
pub fn undone(offered: impl FnOnce(&str) -> bool) -> Option<AnyView> {
    let returned = use_context::<Framing>().and_then(Framing::returned)?;
    let message = returned.error.as_ref()?.message();
    if offered(&returned.form) {
        return None;
    }
    let wrote = returned
        .values
        .into_iter()
        .find(|(field, text)| field == "reason" && !text.is_empty())
        .map(|(_, reason)| view! { <p>"You wrote: “" {reason} "”"</p> });
    let alert =
        view! { <Alert tone=Tone::Bad title="Nothing was done"><p>{message}</p> {wrote}</Alert> };
    Some(alert.into_any())
}

impl Typed {
    /// What was typed into a field; `default` in a fresh form.
    pub fn value(&self, field: &str, default: &str) -> String {
        if self.error.is_none() && self.values.is_empty() {
            return default.to_owned();
        }
        self.values
            .iter()
            .find(|(name, _)| name == field)
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    }

    /// An error from somewhere else than a refusal, such as a preview.
    pub fn with_error(self, error: Option<ApiError>) -> Self {
        if self.error.is_some() {
            self
        } else {
            Self { error, ..self }
        }
    }

    /// Why this field was refused.
    pub fn field_error(&self, field: &str) -> Option<String> {
        self.error
            .as_ref()
            .filter(|error| error.field() == Some(field))
            .map(ApiError::message)
    }

    /// Why the form was refused, whatever the field.
    pub fn error(&self) -> Option<String> {
        self.error.as_ref().map(ApiError::message)
    }

    /// The error, where it belongs to none of these fields.
    pub fn other_error(&self, fields: &[&str]) -> Option<ApiError> {
        self.error
            .clone()
            .filter(|error| error.field().is_none_or(|field| !fields.contains(&field)))
    }
}

#[cfg(feature = "ssr")]
pub mod ssr {
    use axum::http::{HeaderMap, header};
    use serde::Serialize;
    use tower_sessions::Session;
    use url::Url;
    use view::{access::Returned, error::ApiError};

    use crate::{context::fail, error::PageError};

    const KEY: &str = "returned";

    /// The form that came back and that the session holds, which forgets it: a reload shows the page fresh.
    pub async fn take_returned() -> Option<Returned> {
        let session = leptos_axum::extract::<Session>().await.ok()?;
        // Removing counts as a change even when nothing is there, and would write the session with every page.
        session.get_value(KEY).await.ok().flatten()?;
        let returned = session.remove::<Returned>(KEY).await.ok().flatten();
        // Now, and not with the answer: what it asks for may take a minute, and another page must not ask for it, too.
        if let Err(error) = session.save().await {
            leptos::logging::warn!("A form that came back is not forgotten: {error}");
        }
        returned
    }

    /// Ends a posted form: goes to the page `result` names, or back to the form with its values and its error.
    pub async fn finish(
        form: &str,
        typed: &impl Serialize,
        result: Result<String, ApiError>,
    ) -> Result<(), PageError> {
        let error = match result {
            Ok(path) => {
                leptos_axum::redirect(&path);
                return Ok(());
            }
            Err(error) => error,
        };
        give_back(form, form, typed, Some(error)).await
    }

    /// Shows a form again as it was typed, at the element `at` of its page.
    pub async fn show_again(form: &str, at: &str, typed: &impl Serialize) -> Result<(), PageError> {
        give_back(form, at, typed, None).await
    }

    const ONCE: &str = "once";

    /// What was put into the session for the page `of`, which forgets it; nothing for other pages.
    pub async fn take_once(of: &str) -> Option<String> {
        let session = leptos_axum::extract::<Session>().await.ok()?;
        let (page, _) = session.get::<(String, String)>(ONCE).await.ok().flatten()?;
        if page != of {
            return None;
        }
        let kept = session
            .remove::<(String, String)>(ONCE)
            .await
            .ok()
            .flatten();
        kept.map(|(_, text)| text)
    }

    /// Goes to `address`, where the page `of` finds the text in the session, once.
    pub async fn show_once(of: &str, address: &str, text: String) -> Result<(), PageError> {
        let kept = match leptos_axum::extract::<Session>().await {
            Ok(session) => session.insert(ONCE, (of, text)).await.is_ok(),
            Err(_) => false,
        };
        if !kept {
            let message = "It was made, but cannot be shown: the session could not be written. End it and make another.";
            return Err(fail(ApiError::Unavailable {
                message: message.to_owned(),
            }));
        }
        leptos_axum::redirect(address);
        Ok(())
    }

    async fn give_back(
        form: &str,
        at: &str,
        typed: &impl Serialize,
        error: Option<ApiError>,
    ) -> Result<(), PageError> {
        let headers: HeaderMap = leptos_axum::extract().await.unwrap_or_default();
        // A program reads the error itself; a browser asks for a page.
        let page = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        match leptos_axum::extract::<Session>().await {
            Ok(session) if page => {
                let returned = Returned {
                    form: form.to_owned(),
                    error,
                    values: values(typed),
                };
                if let Err(error) = session.insert(KEY, returned).await {
                    return Err(fail(ApiError::Unavailable {
                        message: format!(
                            "What was typed could not be kept: {error}. Go back in your browser and try again."
                        ),
                    }));
                }
                leptos_axum::redirect(&back(&headers, at));
                Ok(())
            }
            _ => error.map_or(Ok(()), |error| Err(fail(error))),
        }
    }

    /// A place on the page that sent the form.
    fn back(headers: &HeaderMap, at: &str) -> String {
        format!("{}#{at}", sent_from(headers))
    }

    /// The page that sent the form. The origin was checked before; only the path is used.
    pub fn sent_from(headers: &HeaderMap) -> String {
        let referer = headers
            .get(header::REFERER)
            .and_then(|referer| referer.to_str().ok())
            .and_then(|referer| Url::parse(referer).ok());
        referer
            .map(|url| url.path().to_owned())
            .filter(|path| path.starts_with('/') && !path.starts_with("//"))
            .unwrap_or_else(|| "/".to_owned())
    }

    /// Fields of a flat form struct as text.
    fn values(typed: &impl Serialize) -> Vec<(String, String)> {
        match serde_json::to_value(typed) {
            Ok(serde_json::Value::Object(fields)) => fields
                .into_iter()
                .map(|(name, value)| match value {
                    serde_json::Value::String(text) => (name, text),
                    other => (name, other.to_string()),
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}
