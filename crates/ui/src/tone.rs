//! What a colour means. Never used alone: an icon and a word stand beside it.

/// How something is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tone {
    /// Nothing is going on, or it is over and nobody need care.
    #[default]
    Neutral,
    /// Slipway is at work.
    Active,
    /// A person has to decide.
    Waiting,
    Good,
    Warn,
    Bad,
}

impl Tone {
    /// Every tone.
    pub const ALL: &[Self] = &[
        Self::Neutral,
        Self::Active,
        Self::Waiting,
        Self::Good,
        Self::Warn,
        Self::Bad,
    ];

    /// The class that sets `--tone` for everything inside.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Neutral => "tone-neutral",
            Self::Active => "tone-active",
            Self::Waiting => "tone-waiting",
            Self::Good => "tone-good",
            Self::Warn => "tone-warn",
            Self::Bad => "tone-bad",
        }
    }
}
