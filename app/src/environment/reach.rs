//! How the hosts of an environment are reached.

use domain::reach::{HostKeyPolicy, Reach};
use ui::prelude::*;
use ui::{
    Button, ButtonTone, Choice, Choices, Confirm, ErrorPanel, Fact, Facts, FormActions, Icon,
    Section, TextArea, TextField,
};
use view::access::Allowance;

use crate::form::typed;

/// What is set, and the form that changes it; `kept` names the secrets there are.
#[component]
pub fn ReachSection(
    environment: String,
    reach: Reach,
    kept: Vec<String>,
    may_change: Allowance,
) -> impl IntoView {
    let or = |text: &str, none: &'static str| match text.is_empty() {
        true => view! { <span class="muted">{none}</span> }.into_any(),
        false => view! { <code>{text.to_owned()}</code> }.into_any(),
    };
    let settings = "as the settings say";
    let keys = match reach.host_keys {
        HostKeyPolicy::Strict => "Known ones only",
        HostKeyPolicy::AcceptNew => "A new one is believed once, a changed one never",
    };
    let becoming = match reach.become_method.as_str() {
        "" => String::new(),
        method => format!(
            "{} by {method}",
            match reach.become_user.as_str() {
                "" => "root",
                user => user,
            }
        ),
    };
    let (user, port) = (or(&reach.user, settings), or(&reach.port, settings));
    let through = or(&reach.jump.join(" → "), "no jump host");
    let secrets = kept
        .iter()
        .map(|name| label(name))
        .collect::<Vec<_>>()
        .join(", ");
    view! {
        <Section title="Reach" id="reach">
            <Facts>
                <Fact name="User">{user}</Fact>
                <Fact name="Port">{port}</Fact>
                <Fact name="Through">{through}</Fact>
                <Fact name="Host keys">{keys}</Fact>
                <Fact name="Becomes">{or(&becoming, "nobody else")}</Fact>
                <Fact name="Kept secret">{or(&secrets, "nothing")}</Fact>
            </Facts>
            {form(environment, reach, kept, may_change)}
        </Section>
    }
}

/// What a secret is called; a sentence says that none of them can be opened.
fn label(name: &str) -> &str {
    match name {
        "private_key" => "private key",
        "become_password" => "password for becoming",
        "vault_password" => "vault password",
        sentence => sentence,
    }
}

fn form(
    environment: String,
    reach: Reach,
    kept: Vec<String>,
    may_change: Allowance,
) -> impl IntoView {
    const FIELDS: &[&str] = &[
        "user",
        "port",
        "jump",
        "host_keys",
        "known_hosts",
        "certificate",
        "become_method",
        "become_user",
        "private_key",
        "become_password",
        "vault_password",
        "forget",
    ];
    let form = StoredValue::new(typed("reach"));
    let value =
        move |field: &str, default: &str| form.with_value(|form| form.value(field, default));
    let error = move |field: &str| form.with_value(|form| form.field_error(field));
    let other = form
        .with_value(|form| form.other_error(FIELDS))
        .map(|error| view! { <ErrorPanel error /> });
    let open = form.with_value(|form| form.error().is_some());
    let hints = kept.clone();
    let hint = move |name: &str| {
        if hints.iter().any(|kept| kept == name) {
            "Kept. Left empty, it stays."
        } else {
            "Stored as ciphertext."
        }
    };
    let named: Vec<&str> = kept
        .iter()
        .map(String::as_str)
        .filter(|name| !name.contains(' '))
        .collect();
    let forget = (!named.is_empty()).then(|| {
        let names = format!("Names of secrets to remove: {}.", named.join(" "));
        view! { <TextField name="input[forget]" id="reach-forget" label="Forget" value=value("forget", "") error=error("forget") required=false mono=true hint=names /> }
    });
    view! {
        <Confirm id="reach-form" label="Change how hosts are reached" icon=Some(Icon::Pencil) allowance=may_change open>
            {other}
            <form method="post" action="/api/environment/reach" class="form" autocomplete="off">
                <input type="hidden" name="input[environment]" value=environment />
                <TextField name="input[user]" id="reach-user" label="User" value=value("user", &reach.user) error=error("user") required=false mono=true hint="Where the inventory names none for a host." />
                <TextField name="input[port]" id="reach-port" label="Port" value=value("port", &reach.port) error=error("port") required=false mono=true />
                <TextField name="input[jump]" id="reach-jump" label="Jump hosts" value=value("jump", &reach.jump.join(" ")) error=error("jump") required=false mono=true hint="user@host:port, in the order they are gone through, separated by spaces." />
                <Choices
                    name="input[host_keys]"
                    id="reach-keys"
                    label="Host keys"
                    value=value("host_keys", reach.host_keys.word())
                    error=error("host_keys")
                    choices=vec![
                        Choice::new(HostKeyPolicy::Strict.word(), "Known ones only", "A host whose key is not known is refused"),
                        Choice::new(HostKeyPolicy::AcceptNew.word(), "Believe new ones", "Once; a changed key is refused all the same"),
                    ]
                />
                <TextArea name="input[known_hosts]" id="reach-known" label="Known hosts" value=value("known_hosts", &reach.known_hosts) error=error("known_hosts") required=false mono=true hint="Lines of a known_hosts file, in place of the one of the settings." />
                <TextArea name="input[private_key]" id="reach-key" label="Private key" value="" error=error("private_key") required=false mono=true hint=hint("private_key") />
                <TextArea name="input[certificate]" id="reach-certificate" label="SSH certificate" value=value("certificate", &reach.certificate) error=error("certificate") required=false mono=true hint="The line of a -cert.pub file that belongs to the private key." />
                <TextField name="input[become_method]" id="reach-method" label="Become by" value=value("become_method", &reach.become_method) error=error("become_method") required=false mono=true hint="Such as sudo; empty stays whoever signed in." />
                <TextField name="input[become_user]" id="reach-become" label="Become" value=value("become_user", &reach.become_user) error=error("become_user") required=false mono=true hint="Empty is root." />
                <TextField name="input[become_password]" id="reach-become-password" label="Password for becoming" value="" error=error("become_password") required=false kind="password" hint=hint("become_password") />
                <TextField name="input[vault_password]" id="reach-vault" label="Vault password" value="" error=error("vault_password") required=false kind="password" hint=hint("vault_password") />
                {forget}
                <FormActions><Button tone=ButtonTone::Primary>"Save"</Button></FormActions>
            </form>
        </Confirm>
    }
}
