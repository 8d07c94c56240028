//! What every page needs before it draws anything.

use leptos::prelude::*;
use view::{
    access::{Frame, Returned},
    error::ApiError,
};

use crate::{error::PageError, load::Read, wire::Wire};

/// The frame on its way, for pages that wait for it before they draw their forms.
#[derive(Clone, Copy)]
pub struct Framing {
    read: Read<Frame>,
    left: RwSignal<bool>,
}

impl Framing {
    pub fn new(read: Read<Frame>) -> Self {
        Self {
            read,
            left: RwSignal::new(false),
        }
    }

    /// Waits until the frame is known.
    pub async fn settled(self) {
        // A page whose frame failed shows that itself.
        let _ = self.read.await;
    }

    /// The form that came back last, if this page was loaded because of it.
    pub fn returned(self) -> Option<Returned> {
        if self.left.get() {
            None
        } else {
            self.read.get()?.ok()?.returned
        }
    }

    /// As `returned`, for what is read with the page.
    pub async fn arrived(self) -> Option<Returned> {
        if self.left.get_untracked() {
            None
        } else {
            self.read.await.ok()?.returned
        }
    }

    /// What the form `form` would do, where it came back to be looked at: `look` is asked with what was typed.
    pub async fn looked<T>(
        framing: Option<Self>,
        form: &str,
        look: impl AsyncFnOnce(Returned) -> Result<T, PageError>,
    ) -> Option<Result<T, ApiError>> {
        let returned = framing?.arrived().await?;
        if returned.form != form || returned.error.is_some() {
            return None;
        }
        Some(look(returned).await.map_err(|PageError(error)| error))
    }

    /// A form that came back is corrected on the page that was loaded for it, not on a later visit.
    pub fn forget_on_leaving(self, path: Memo<String>) {
        Effect::new(move |before: Option<String>| {
            let now = path.get();
            if before.is_some_and(|before| before != now) {
                self.left.set(true);
            }
            now
        });
    }
}

/// Who is signed in, the chosen theme, and the form that came back last, which the session forgets with this.
#[server(name = ReadFrame, endpoint = "frame/show", output = Wire)]
pub async fn frame() -> Result<Frame, PageError> {
    use crate::{
        context::{SignedIn, answer, expect_console},
        form::ssr::take_returned,
        shell::chosen_theme,
    };
    let console = expect_console()?;
    let viewer = match use_context::<SignedIn>() {
        Some(SignedIn {
            subject: Some(subject),
            ..
        }) => Some(answer(console.viewer(&subject).await)?),
        _ => None,
    };
    Ok(Frame {
        viewer,
        theme: chosen_theme().word().to_owned(),
        time_scale: console.time_scale(),
        returned: take_returned().await,
    })
}
