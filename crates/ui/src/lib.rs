//! Presentational components and charts: the design system of the console.
//!
//! Components draw what they are given. They read no clock, no locale and no address; they name no server function. Forms
//! are plain forms, so everything works before (and without) WebAssembly.

pub mod badge;
pub mod batch;
pub mod button;
pub mod chart;
pub mod clock;
pub mod confirm;
pub mod feedback;
pub mod figure;
pub mod form;
pub mod gallery;
pub mod host;
pub mod icon;
pub mod log;
pub mod page;
pub mod prelude;
pub mod shell;
pub mod stat;
pub mod state;
pub mod table;
pub mod text;
pub mod theme;
pub mod tone;
pub mod verdict;

pub use badge::{BatchDots, StateBadge, Tag, Tags};
pub use batch::{BakeCountdown, BatchTimeline};
pub use button::{Button, ButtonTone, LinkButton};
pub use chart::MetricChart;
pub use confirm::{Confirm, ConfirmForm, ReasonField};
pub use feedback::{
    Alert, AwayBanner, EmptyState, ErrorPanel, LoadingPanel, NOT_SENT, RehearsalBanner,
};
pub use form::{Choice, Choices, FieldErrors, FormActions, Select, TextArea, TextField};
pub use host::HostGrid;
pub use icon::Icon;
pub use log::{LogRow, LogView};
pub use page::{Breadcrumbs, Crumb, PageHeader, Pager, Section, Tab, Tabs};
pub use shell::{AppShell, NavLink, ThemeSwitch, TopNav};
pub use stat::{Sparkline, Stat, Stats};
pub use state::Look;
pub use table::{Cell, Column, DataTable};
pub use text::{Digest, Fact, Facts, TimeText};
pub use theme::Theme;
pub use tone::Tone;
pub use verdict::VerdictCard;
