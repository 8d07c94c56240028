//! Light, dark, or as the person's system says.

/// The colour theme a person chose; kept in a cookie and put on `<html data-theme>` by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// Every theme, in the order of the switch.
    pub const ALL: &[Self] = &[Self::System, Self::Light, Self::Dark];

    /// Name of the cookie that keeps what somebody chose.
    pub const COOKIE: &str = "slipway-theme";

    /// The word posted by the switch and kept in the cookie.
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the word of a cookie or a form; anything else means [`Theme::System`].
    pub fn read(word: &str) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|theme| theme.word() == word)
            .unwrap_or_default()
    }

    /// Value of `data-theme` on `<html>`; `None` leaves it to the system.
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }
}
