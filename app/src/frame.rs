//! What every page needs before it draws anything.

use leptos::prelude::*;
use view::access::Frame;

use crate::error::PageError;

/// Who is signed in, the chosen theme, and the form that was refused last, which the session forgets with this.
#[server(name = ReadFrame, endpoint = "frame/show")]
pub async fn frame() -> Result<Frame, PageError> {
    use crate::{
        context::{SignedIn, answer, expect_console},
        form::ssr::take_refusal,
        shell::chosen_theme,
    };
    let console = expect_console()?;
    let viewer = match use_context::<SignedIn>() {
        Some(SignedIn(Some(subject))) => Some(answer(console.viewer(&subject).await)?),
        _ => None,
    };
    Ok(Frame { viewer, theme: chosen_theme().word().to_owned(), time_scale: console.time_scale(), refusal: take_refusal().await })
}
