//! Reads the forms of a page as a browser without JavaScript would: fields, what they hold, whether they can be sent.

use std::mem;

use anyhow::{Result, bail};
use html5gum::{DefaultEmitter, HtmlString, StartTag, Token, Tokenizer};

/// What a person can do on a page, and what it tells them.
#[derive(Debug, Default)]
pub struct Page {
    pub forms: Vec<Form>,
    notices: Vec<Notice>,
}

/// A form as it was sent by the server.
#[derive(Clone, Debug, Default)]
pub struct Form {
    pub action: String,
    fields: Vec<Field>,
    button: Button,
}

#[derive(Clone, Debug, Default)]
struct Field {
    name: String,
    value: Option<String>,
    /// What may be chosen; empty where anything may be typed.
    choices: Vec<String>,
}

/// The button that sends the form to its action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Button {
    #[default]
    Pressable,
    /// Disabled, with the reason written beside it.
    Disabled(String),
}

#[derive(Debug)]
struct Notice {
    /// It interrupts the reader or belongs to a refused field.
    urgent: bool,
    text: String,
}

impl Page {
    pub fn read(html: &str) -> Self {
        let mut reader = Reader::default();
        let mut emitter = DefaultEmitter::default();
        // So that what stands in a textarea or a script is text.
        emitter.naively_switch_states(true);
        for token in Tokenizer::new_with_emitter(html, emitter) {
            // Reading from memory cannot fail.
            let Ok(token) = token;
            match token {
                Token::StartTag(tag) => reader.start(&tag),
                Token::EndTag(tag) => reader.end(&tag.name),
                Token::String(text) => reader.text(&text),
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
            }
        }
        reader.page
    }

    /// The form that is sent to `action`.
    pub fn form(&self, action: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.action == action)
    }

    /// What the page says went wrong; `None` when it says nothing of the kind.
    pub fn error(&self) -> Option<String> {
        self.said(true)
    }

    /// What the page says went wrong, or else whatever it remarks.
    pub fn complaint(&self) -> Option<String> {
        self.said(true).or_else(|| self.said(false))
    }

    fn said(&self, urgent: bool) -> Option<String> {
        let texts: Vec<_> = self
            .notices
            .iter()
            .filter(|notice| notice.urgent || !urgent)
            .map(|notice| notice.text.as_str())
            .collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }
}

impl Form {
    /// Types `value` into the field `name`, or chooses it where there is a choice.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let Some(field) = self.fields.iter_mut().find(|field| field.name == name) else {
            bail!(
                "the form {} has no field {name}; it has {}",
                self.action,
                self.names()
            );
        };
        if !field.choices.is_empty() && !field.choices.iter().any(|choice| choice == value) {
            bail!(
                "the form {} offers for {name} only {}, not {value}",
                self.action,
                field.choices.join(", ")
            );
        }
        field.value = Some(value.to_owned());
        Ok(())
    }

    /// What a field holds.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|field| field.name == name)?
            .value
            .as_deref()
    }

    /// Why the form cannot be sent; `None` when it can.
    pub fn refused(&self) -> Option<&str> {
        match &self.button {
            Button::Pressable => None,
            Button::Disabled(why) => Some(why),
        }
    }

    /// Names and values as they are sent.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.fields
            .iter()
            .filter_map(|field| Some((field.name.as_str(), field.value.as_deref()?)))
            .collect()
    }

    fn names(&self) -> String {
        self.fields
            .iter()
            .map(|field| field.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The field `name`, which several radio buttons share.
    fn field(&mut self, name: String) -> &mut Field {
        let at = self
            .fields
            .iter()
            .position(|field| field.name == name)
            .unwrap_or_else(|| {
                self.fields.push(Field {
                    name,
                    ..Field::default()
                });
                self.fields.len() - 1
            });
        &mut self.fields[at]
    }
}

/// What the text inside an element is.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Notice { urgent: bool },
    WhyDisabled,
    Typed { field: String },
}

/// An element whose text is being collected.
struct Open {
    tag: HtmlString,
    /// Elements of the same name inside it.
    depth: usize,
    text: String,
    meaning: Meaning,
}

#[derive(Default)]
struct Reader {
    page: Page,
    form: Option<Form>,
    select: Option<String>,
    open: Vec<Open>,
}

impl Reader {
    fn start(&mut self, tag: &StartTag<()>) {
        for open in &mut self.open {
            if open.tag == tag.name {
                open.depth += 1;
            }
            // Words of different lines are different words.
            if matches!(tag.name.as_slice(), b"p" | b"div" | b"li" | b"br") {
                open.text.push(' ');
            }
        }
        let has = |word: &str| {
            attribute(tag, "class")
                .is_some_and(|class| class.split_whitespace().any(|one| one == word))
        };
        let alert = attribute(tag, "role").is_some_and(|role| role == "alert");
        if alert || has("field-error") || has("notice") {
            // One inside another is told by the outer one.
            if !self
                .open
                .iter()
                .any(|open| matches!(open.meaning, Meaning::Notice { .. }))
            {
                self.collect(
                    tag,
                    Meaning::Notice {
                        urgent: alert || has("field-error"),
                    },
                );
            }
        }
        if has("refused-why") {
            self.collect(tag, Meaning::WhyDisabled);
        }
        self.control(tag);
    }

    fn control(&mut self, tag: &StartTag<()>) {
        let name = attribute(tag, "name").filter(|name| !name.is_empty());
        let value = attribute(tag, "value");
        match (tag.name.as_slice(), &mut self.form) {
            (b"form", form) => {
                *form = Some(Form {
                    action: attribute(tag, "action").unwrap_or_default(),
                    ..Form::default()
                });
            }
            (b"input", Some(form)) => {
                let Some(name) = name else { return };
                let kind = attribute(tag, "type").unwrap_or_default();
                let field = form.field(name);
                if kind == "radio" || kind == "checkbox" {
                    let value = value.unwrap_or_else(|| "on".to_owned());
                    if attribute(tag, "checked").is_some() {
                        field.value = Some(value.clone());
                    }
                    field.choices.push(value);
                } else {
                    field.value = Some(value.unwrap_or_default());
                }
            }
            (b"textarea", Some(form)) => {
                let Some(name) = name else { return };
                form.field(name.clone());
                self.collect(tag, Meaning::Typed { field: name });
            }
            (b"select", Some(form)) => {
                if let Some(name) = &name {
                    form.field(name.clone());
                }
                self.select = name;
            }
            (b"option", Some(form)) => {
                let (Some(name), Some(value)) = (self.select.clone(), value) else {
                    return;
                };
                let field = form.field(name);
                // The first is chosen unless another one says that it is.
                if attribute(tag, "selected").is_some() || field.choices.is_empty() {
                    field.value = Some(value.clone());
                }
                field.choices.push(value);
            }
            // A button with an action of its own sends the form elsewhere.
            (b"button", Some(form))
                if attribute(tag, "disabled").is_some()
                    && attribute(tag, "formaction").is_none() =>
            {
                form.button = Button::Disabled(
                    "the button is disabled, and the page does not say why".to_owned(),
                );
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &[u8]) {
        for open in &mut self.open {
            open.text.push_str(&String::from_utf8_lossy(text));
        }
    }

    fn end(&mut self, tag: &HtmlString) {
        for open in mem::take(&mut self.open) {
            match (open.tag == *tag, open.depth) {
                (true, 0) => self.collected(open),
                (true, depth) => self.open.push(Open {
                    depth: depth - 1,
                    ..open
                }),
                (false, _) => self.open.push(open),
            }
        }
        match tag.as_slice() {
            b"form" => self.page.forms.extend(self.form.take()),
            b"select" => self.select = None,
            _ => {}
        }
    }

    fn collect(&mut self, tag: &StartTag<()>, meaning: Meaning) {
        self.open.push(Open {
            tag: tag.name.clone(),
            depth: 0,
            text: String::new(),
            meaning,
        });
    }

    fn collected(&mut self, open: Open) {
        let plain = || open.text.split_whitespace().collect::<Vec<_>>().join(" ");
        match (open.meaning, &mut self.form) {
            // One that stands there for later says nothing yet.
            (Meaning::Notice { .. }, _) if open.text.trim().is_empty() => {}
            (Meaning::Notice { urgent }, _) => self.page.notices.push(Notice {
                urgent,
                text: plain(),
            }),
            (Meaning::WhyDisabled, Some(form)) if form.button != Button::Pressable => {
                form.button = Button::Disabled(plain())
            }
            (Meaning::Typed { field }, Some(form)) => form.field(field).value = Some(open.text),
            (Meaning::WhyDisabled | Meaning::Typed { .. }, _) => {}
        }
    }
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes
        .get(name.as_bytes())
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r##"<!DOCTYPE html><html><body><div class="refused"><span class="refused-why">Of a link</span></div>
        <form method="post" action="/api/rollout/request" id="request">
            <input type="hidden" name="input[idempotency_key]" value="018f&amp;k">
            <div class="field"><label for="version">Version</label><input class="input" type="text" id="version" name="input[version]" value="" required></div>
            <select name="input[service]"><option value="" selected>Choose …</option><option value="checkout">Checkout</option></select>
            <label class="choice"><input type="radio" name="input[gate]" value="automatic" checked="checked">Automatic</label>
            <label class="choice"><input type="radio" name="input[gate]" value="manual">Manual</label>
            <textarea name="input[reason]" rows="3">First &lt;b&gt;
second</textarea>
            <button type="submit" formaction="/rollouts/new" disabled>Preview</button>
            <button type="submit">Request</button>
        </form>
        <form method="post" action="/api/rollout/approve">
            <input type="hidden" name="input[rollout]" value="018f">
            <span class="refused"><button type="submit" disabled><svg><path d="M0"/></svg>Approve</button>
            <span class="refused-why" id="approve-button-why">You requested this <b>rollout</b>.</span></span>
        </form></body></html>"##;

    #[test]
    fn a_form_is_sent_with_what_it_held_and_what_was_typed() {
        let page = Page::read(PAGE);
        let mut form = page.form("/api/rollout/request").unwrap().clone();
        form.set("input[version]", "1.4.2").unwrap();
        form.set("input[service]", "checkout").unwrap();
        assert_eq!(
            form.pairs(),
            [
                ("input[idempotency_key]", "018f&k"),
                ("input[version]", "1.4.2"),
                ("input[service]", "checkout"),
                ("input[gate]", "automatic"),
                ("input[reason]", "First <b>\nsecond"),
            ]
        );
        assert_eq!(form.refused(), None);
        assert_eq!(form.value("input[gate]"), Some("automatic"));
        assert_eq!(page.complaint(), None);
    }

    #[test]
    fn what_a_page_does_not_offer_cannot_be_entered() {
        let page = Page::read(PAGE);
        let mut form = page.form("/api/rollout/request").unwrap().clone();
        let unknown = form.set("input[split]", "100%").unwrap_err().to_string();
        assert!(
            unknown.contains("no field input[split]") && unknown.contains("input[version]"),
            "{unknown}"
        );
        let choice = form.set("input[gate]", "both").unwrap_err().to_string();
        assert!(choice.contains("only automatic, manual"), "{choice}");
        assert!(page.form("/api/rollout/release").is_none());
    }

    #[test]
    fn a_disabled_button_says_why() {
        let page = Page::read(PAGE);
        assert_eq!(
            page.form("/api/rollout/approve").unwrap().refused(),
            Some("You requested this rollout.")
        );
    }

    #[test]
    fn complaints_come_from_errors_first() {
        let page = Page::read(
            r#"<p role="alert" class="not-sent"></p><div class="notice tone-warn" role="status"><div class="notice-text"><p class="notice-title">Title</p><p>Text</p></div></div>
            <p>No complaint</p>"#,
        );
        assert_eq!(page.complaint().as_deref(), Some("Title Text"));
        assert_eq!(page.error(), None);
        let page = Page::read(
            r#"<div class="notice" role="status"><div>Calm</div></div>
            <div class="notice" role="alert"><div>This was <p class="field-error">refused</p></div></div> <p class="field-error">Give a port.</p>"#,
        );
        assert_eq!(
            page.complaint().as_deref(),
            Some("This was refused Give a port.")
        );
    }

    #[test]
    fn scripts_are_no_forms() {
        let page = Page::read(
            r#"<script>let text = "<form action='/x'><input name='a'></form>";</script><p role="alert">Unclosed"#,
        );
        assert!(page.forms.is_empty());
        assert_eq!(page.complaint(), None);
    }
}
