//! A person at the console: a cookie jar, pages, and the forms on them. No JavaScript runs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::{ACCEPT, LOCATION, ORIGIN, REFERER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use url::Url;
use view::error::ApiError;
use view::page::Page as ListPage;

use super::form::{Form, Page};
use crate::record::Person;

const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_WAY: usize = 10;
const HTML: &str = "text/html,application/xhtml+xml";

/// Somebody who is signed in.
pub struct Browser {
    client: Client,
    jar: Arc<Jar>,
    console: Url,
    /// The login at the identity provider.
    pub who: String,
}

/// What became of a form.
#[derive(Debug)]
pub enum Sent {
    /// The console went on to this path.
    Accepted(String),
    /// It came back with this sentence.
    Refused(String),
}

/// Where one arrives after all redirects.
struct Landed {
    at: Url,
    status: StatusCode,
    html: String,
}

impl Browser {
    /// Signs `person` in: follows the console to the identity provider, picks the person there, and comes back.
    pub async fn sign_in(console: &Url, person: &Person) -> Result<Self> {
        let jar = Arc::new(Jar::default());
        let client = Client::builder()
            .cookie_provider(jar.clone())
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        let browser = Self {
            client,
            jar,
            console: console.clone(),
            who: person.login.clone(),
        };
        browser
            .pick(person)
            .await
            .with_context(|| format!("{} could not be signed in", person.login))?;
        Ok(browser)
    }

    async fn pick(&self, person: &Person) -> Result<()> {
        let provider = self
            .go(self.console.join("/auth/login?return_to=/rollouts")?)
            .await?;
        let offered = Page::read(&provider.html);
        let form = offered
            .forms
            .iter()
            .find(|form| form.value("login") == Some(person.login.as_str()))
            .ok_or_else(|| {
                anyhow!(
                    "the sign-in page {} does not offer {}",
                    provider.at,
                    person.login
                )
            })?;
        let address = provider.at.join(&form.action)?;
        let answer = self
            .client
            .post(address.clone())
            .header(ACCEPT, HTML)
            .form(&form.pairs())
            .send()
            .await?;
        let landed = self.land(answer, address).await?;
        if landed.at.origin() != self.console.origin() || !landed.html.contains(&person.name) {
            let said = Page::read(&landed.html)
                .complaint()
                .unwrap_or_else(|| title(&landed.html));
            bail!("{} answered {}: {said}", landed.at, landed.status);
        }
        Ok(())
    }

    /// The header `Cookie` of this person's requests, for a program that asks in their name.
    pub fn cookie(&self) -> Result<String> {
        let cookies = self
            .jar
            .cookies(&self.console)
            .ok_or_else(|| anyhow!("{} has no cookie of the console", self.who))?;
        Ok(cookies.to_str()?.to_owned())
    }

    /// Opens a page of the console.
    pub async fn open(&self, path: &str) -> Result<Page> {
        let landed = self.go(self.console.join(path)?).await?;
        let page = Page::read(&landed.html);
        if landed.status != StatusCode::OK {
            let said = page.complaint().unwrap_or_else(|| title(&landed.html));
            bail!(
                "the page {path} answered {} to {}: {said}",
                landed.status,
                self.who
            );
        }
        Ok(page)
    }

    /// The form of `page` (which was read from `path`) that is sent to `action`.
    pub fn form(&self, page: &Page, path: &str, action: &str) -> Result<Form> {
        page.form(action)
            .cloned()
            .ok_or_else(|| anyhow!("the page {path} has no form {action} for {}", self.who))
    }

    /// Opens the page at `path`, fills in its form `action` and presses the button.
    pub async fn fill(&self, path: &str, action: &str, values: &[(&str, &str)]) -> Result<String> {
        let page = self.open(path).await?;
        let mut form = self.form(&page, path, action)?;
        for (name, value) in values {
            form.set(&format!("input[{name}]"), value)?;
        }
        if let Some(why) = form.refused() {
            bail!(
                "{} may not use the form {action} of the page {path}: {why}",
                self.who
            );
        }
        match self.send(path, &form).await? {
            Sent::Accepted(page) => Ok(page),
            Sent::Refused(why) => bail!(
                "the form {action} of the page {path} came back to {}: {why}",
                self.who
            ),
        }
    }

    /// Posts `form` from the page at `path` and reads what comes of it, as far as opening the page it came back to.
    pub async fn send(&self, path: &str, form: &Form) -> Result<Sent> {
        let from = self.console.join(path)?;
        let request = self
            .own(self.client.post(from.join(&form.action)?), &from)
            .header(ACCEPT, HTML)
            .form(&form.pairs());
        let answer = request
            .send()
            .await
            .with_context(|| format!("the form {} could not be sent", form.action))?;
        let Some(next) = location(&answer, &from)? else {
            let status = answer.status();
            let html = answer.text().await?;
            let said = Page::read(&html)
                .complaint()
                .unwrap_or_else(|| title(&html));
            return Ok(Sent::Refused(format!("{status}: {said}")));
        };
        // A form that was refused leads back to itself on its page; one that was taken leads on.
        if next.fragment().is_none()
            && next.query().is_none()
            && next.origin() == self.console.origin()
        {
            return Ok(Sent::Accepted(next.path().to_owned()));
        }
        let back = self.go(next).await?;
        let said = Page::read(&back.html).complaint();
        Ok(Sent::Refused(said.unwrap_or_else(|| {
            format!("the page {} does not say why", back.at.path())
        })))
    }

    /// Presses a button of `form`, read from the page at `path`, that sends it to another `action` and comes back.
    pub async fn look(&self, path: &str, form: &Form, action: &str) -> Result<Page> {
        let from = self.console.join(path)?;
        let address = from.join(action)?;
        let request = self
            .own(self.client.post(address.clone()), &from)
            .header(ACCEPT, HTML)
            .form(&form.pairs());
        let answer = request
            .send()
            .await
            .with_context(|| format!("the form could not be sent to {action}"))?;
        Ok(Page::read(&self.land(answer, address).await?.html))
    }

    /// Reads what a page of the console reads for itself once it runs in a browser.
    pub async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        arguments: &[(&str, &str)],
    ) -> Result<T> {
        let address = self.console.join(&format!("/api/{what}"))?;
        let request = self
            .own(self.client.post(address), &self.console)
            .header(ACCEPT, "application/json")
            .form(arguments);
        let answer = request
            .send()
            .await
            .with_context(|| format!("{what} could not be asked for"))?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .with_context(|| format!("the answer to {what} broke off"))?;
        if !status.is_success() {
            let why = serde_json::from_str::<ApiError>(&text)
                .map_or_else(|_| excerpt(&text), |error| error.message());
            bail!("{what} was refused to {} ({status}): {why}", self.who);
        }
        serde_json::from_str(&text).with_context(|| {
            format!(
                "the answer to {what} was not understood: {}",
                excerpt(&text)
            )
        })
    }

    /// Every item of a list, page by page.
    pub async fn read_all<T: DeserializeOwned>(
        &self,
        what: &str,
        arguments: &[(&str, &str)],
        cursor_field: &str,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut arguments = arguments.to_vec();
            arguments.extend(cursor.as_deref().map(|cursor| (cursor_field, cursor)));
            let page: ListPage<T> = self.read(what, &arguments).await?;
            items.extend(page.items);
            cursor = match page.next {
                Some(next) => Some(next),
                None => return Ok(items),
            };
        }
    }

    /// Marks a request as started from the console's own page `from`.
    fn own(&self, request: RequestBuilder, from: &Url) -> RequestBuilder {
        request
            .header(ORIGIN, self.console.origin().ascii_serialization())
            .header(REFERER, from.as_str())
    }

    async fn go(&self, address: Url) -> Result<Landed> {
        let answer = self
            .client
            .get(address.clone())
            .header(ACCEPT, HTML)
            .send()
            .await;
        let answer = answer.with_context(|| format!("{address} does not answer"))?;
        self.land(answer, address).await
    }

    /// Follows redirects to the page at their end.
    async fn land(&self, mut answer: Response, mut at: Url) -> Result<Landed> {
        for _ in 0..LONGEST_WAY {
            match location(&answer, &at)? {
                Some(next) => {
                    at = next;
                    answer = self
                        .client
                        .get(at.clone())
                        .header(ACCEPT, HTML)
                        .send()
                        .await
                        .with_context(|| format!("{at} does not answer"))?;
                }
                None => {
                    return Ok(Landed {
                        at,
                        status: answer.status(),
                        html: answer.text().await?,
                    });
                }
            }
        }
        bail!("{at} leads on and on")
    }
}

/// Where a redirect leads; `None` when the answer is none.
fn location(answer: &Response, at: &Url) -> Result<Option<Url>> {
    if !answer.status().is_redirection() {
        return Ok(None);
    }
    let next = answer
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok());
    let next = next.with_context(|| format!("{at} leads on, but does not say where to"))?;
    Ok(Some(at.join(next)?))
}

/// For pages that are no console's, such as an error of the identity provider: the little they say.
fn title(html: &str) -> String {
    let inner = html
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"));
    inner.map_or_else(|| excerpt(html), |(title, _)| title.trim().to_owned())
}

fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > LONGEST {
        line.chars().take(LONGEST).chain(['…']).collect()
    } else {
        line
    }
}
