//! Enums that are one word each: stored, posted and read as that word.

#[macro_export]
macro_rules! words {
    ($name:ident $field:literal: $($variant:ident = $word:literal),+) => {
        impl $name {
            /// Every value, in the order people expect.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word it is stored and posted as.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::FieldError;
            fn from_str(text: &str) -> Result<Self, $crate::text::FieldError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::text::FieldError::new($field, format!(
                        "“{}” is no {} that Slipway knows. Choose one of: {}.",
                        $crate::text::shown(text), $field, [$($word),+].join(", ")
                    ))),
                }
            }
        }
    };
}
pub(crate) use words;
