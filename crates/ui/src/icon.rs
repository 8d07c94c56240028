//! The icons, drawn on a 20 × 20 grid with one stroke. They inherit colour and size from the text beside them.

use crate::prelude::*;

macro_rules! icons {
    ($($name:ident = $path:literal;)*) => {
        /// A pictogram that stands beside a word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Icon { $($name),* }

        impl Icon {
            /// Every icon.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// SVG path data.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }
        }
    };
}

icons! {
    Alert = "M10 3.5 17.5 16.5h-15zM10 8.5v3.4M10 14.2v.1";
    Arrow = "M4 10h12M11 5l5 5-5 5";
    Check = "m4.5 10.5 3.7 3.7 7.3-8.2";
    Chevron = "m7.5 5 5 5-5 5";
    Clock = "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 6.5V10l2.5 1.7";
    Cross = "m5.5 5.5 9 9M14.5 5.5l-9 9";
    Deploy = "M10 13V3.5M5.8 7.5 10 3.5l4.2 4M3.5 12.5v4h13v-4";
    Equal = "M5 7.7h10M5 12.3h10";
    Gate = "M4 17V4M16 17V4M4 7.5h12M4 12h12";
    Hourglass = "M5.5 3.5h9M5.5 16.5h9M6.8 3.5v2.7L10 10l-3.2 3.8v2.7M13.2 3.5v2.7L10 10l3.2 3.8v2.7";
    Info = "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 9.5v4M10 6.6v.1";
    Held = "M7.3 3.5h5.4l3.8 3.8v5.4l-3.8 3.8H7.3l-3.8-3.8V7.3zM8.3 7.8v4.4M11.7 7.8v4.4";
    Lifebuoy = "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM5.5 5.5l2.7 2.7M14.5 5.5l-2.7 2.7M5.5 14.5l2.7-2.7M14.5 14.5l-2.7-2.7";
    Lines = "M4 5h12M4 8.4h8M4 11.7h12M4 15h6";
    Lock = "M5 9.2h10v7.3H5zM7.2 9.2V6.6a2.8 2.8 0 0 1 5.6 0v2.6";
    Menu = "M3.5 6h13M3.5 10h13M3.5 14h13";
    Minus = "M5 10h10";
    Moon = "M16 12.2A6.6 6.6 0 0 1 7.8 4a6.6 6.6 0 1 0 8.2 8.2z";
    Octagon = "M7.3 3.5h5.4l3.8 3.8v5.4l-3.8 3.8H7.3l-3.8-3.8V7.3zM10 7v3.6M10 13.1v.1";
    Pause = "M7 5v10M13 5v10";
    Pencil = "m4 16 .8-3.4 8.3-8.3 2.6 2.6-8.3 8.3zM11.2 6.2l2.6 2.6";
    Person = "M10 3.5a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4zM3.8 16.5c.8-2.9 3.1-4.2 6.2-4.2s5.4 1.3 6.2 4.2";
    Play = "M6.8 4.6v10.8L15.4 10z";
    Plus = "M10 4.5v11M4.5 10h11";
    Question = "M7.4 7.3a2.7 2.7 0 1 1 3.9 2.5c-.9.5-1.3 1-1.3 2M10 14.8v.1";
    Ring = "M10 5a5 5 0 1 0 0 10 5 5 0 0 0 0-10z";
    Screen = "M3.5 4.5h13v8.5h-13zM7.5 16.5h5M10 13v3.5";
    Slash = "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM5.8 14.2l8.4-8.4";
    Stop = "M5.5 5.5h9v9h-9z";
    Sun = "M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM10 2.5v1.6M10 15.9v1.6M2.5 10h1.6M15.9 10h1.6M4.7 4.7l1.1 1.1M14.2 14.2l1.1 1.1M15.3 4.7l-1.1 1.1M5.8 14.2l-1.1 1.1";
    Turning = "M16 10a6 6 0 1 1-3.2-5.3";
    Undo = "M7.3 4.5 3.8 8l3.5 3.5M4.2 8H12a4 4 0 0 1 0 8H8.5";
    Unplugged = "m8.2 11.8-1.9 1.9a2.6 2.6 0 0 1-3.7-3.7L4.5 8.1M11.8 8.2l1.9-1.9a2.6 2.6 0 0 1 3.7 3.7l-1.9 1.9M7.5 4.8V3M4.8 6.6 3.4 5.2M12.5 15.2V17M15.2 13.4l1.4 1.4";
}

impl Icon {
    /// The icon as decoration; the word beside it says the same.
    pub fn draw(self) -> impl IntoView + use<> {
        let class = if self == Self::Turning {
            "icon icon-turning"
        } else {
            "icon"
        };
        view! {
            <svg class=class viewBox="0 0 20 20" aria-hidden="true">
                <path d=self.path()></path>
            </svg>
        }
    }
}
