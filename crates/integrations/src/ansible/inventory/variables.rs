//! What an inventory may say of a host.

use domain::{text::HostName, variable::template_in};
use serde_json::Value;

use super::InventoryError;

/// What an inventory may say about connecting: none of these can start a program on the machine Slipway runs on.
pub(super) const ALLOWED: [&str; 29] = [
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_python_interpreter",
    "ansible_become",
    "ansible_become_method",
    "ansible_become_user",
    "ansible_connection",
    "ansible_shell_type",
    "ansible_winrm_scheme",
    "ansible_winrm_path",
    "ansible_winrm_transport",
    "ansible_winrm_message_encryption",
    "ansible_winrm_server_cert_validation",
    "ansible_winrm_ca_trust_path",
    "ansible_winrm_service",
    "ansible_winrm_realm",
    "ansible_winrm_operation_timeout_sec",
    "ansible_winrm_read_timeout_sec",
    "ansible_winrm_connection_timeout",
    "ansible_psrp_protocol",
    "ansible_psrp_path",
    "ansible_psrp_auth",
    "ansible_psrp_message_encryption",
    "ansible_psrp_cert_validation",
    "ansible_psrp_ca_cert",
    "ansible_psrp_connection_timeout",
    "ansible_psrp_operation_timeout",
    "ansible_psrp_read_timeout",
];
/// What nobody may read.
const SECRET: [&str; 7] = [
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_winrm_pass",
    "ansible_winrm_password",
    "ansible_become_pass",
    "ansible_become_password",
];

pub(crate) fn check(host: &HostName, variable: &str, value: &Value) -> Result<(), InventoryError> {
    let named = || (host.clone(), variable.to_owned());
    if template_in(value).is_some() {
        let (host, variable) = named();
        return Err(InventoryError::Template { host, variable });
    }
    if SECRET.contains(&variable) {
        let (host, variable) = named();
        return Err(InventoryError::Secret { host, variable });
    }
    if variable.starts_with("ansible_") && !ALLOWED.contains(&variable) {
        let (host, variable) = named();
        return Err(InventoryError::Forbidden { host, variable });
    }
    let text = value.as_str().unwrap_or_default();
    let made_of = |more: &str| {
        !text.is_empty()
            && text.len() <= 253
            && !text.starts_with('-')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    // These end up in ssh's arguments and in the first line of a script.
    let problem = match variable {
        "ansible_host" => {
            (!made_of(".:-_%")).then_some("not an address. Give a host name or an IP address")
        }
        "ansible_user" => (!made_of("._-@+$\\")).then_some("not a user name"),
        "ansible_python_interpreter" => {
            (!made_of("/._-+")).then_some("not the path of a Python 3, such as /usr/bin/python3")
        }
        "ansible_port" => {
            let port = value.as_u64().or_else(|| text.parse().ok());
            (!port.is_some_and(|port| (1..=65535).contains(&port)))
                .then_some("not a port from 1 to 65535")
        }
        "ansible_become" => {
            let plain = value.is_boolean()
                || ["true", "false", "yes", "no"].contains(&text.to_ascii_lowercase().as_str());
            (!plain).then_some("neither true nor false")
        }
        "slipway_root" => {
            let plain = text.is_empty()
                || made_of("/._-+@=")
                    && text.starts_with('/')
                    && !text.ends_with('/')
                    && !text.contains("..");
            (!plain || !value.is_string()).then_some("not a folder. Give an absolute path of letters, digits, dots, hyphens and underscores, without a slash at its end")
        }
        "slipway_install_root" => Some(
            "a folder of the service, which is the same on every host. Give the folder of this host below which it lies as slipway_root",
        ),
        "ansible_connection" => {
            (!["ssh", "winrm", "psrp"].contains(&text)).then_some("none of ssh, winrm and psrp")
        }
        "ansible_shell_type" => (!["sh", "powershell", "cmd"].contains(&text))
            .then_some("none of sh, powershell and cmd"),
        _ if variable.starts_with("ansible_winrm_") || variable.starts_with("ansible_psrp_") => {
            let plain = value.is_boolean() || value.is_number() || made_of("._-/,");
            (!plain).then_some("not a number, a word or a path")
        }
        "ansible_become_user" => (!made_of("._-@+$\\")).then_some("not a user name"),
        "ansible_become_method" => {
            (!made_of("._")).then_some("not a method, such as sudo or runas")
        }
        _ => encrypted(value).then_some(
            "encrypted with Ansible Vault, which Slipway does not open. Keep secrets on the host",
        ),
    };
    match problem {
        None => Ok(()),
        Some(problem) => {
            let (host, variable) = named();
            Err(InventoryError::Value {
                host,
                variable,
                problem,
            })
        }
    }
}

/// Ansible's JSON form of vaulted and other special values.
fn encrypted(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(encrypted),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.starts_with("__ansible") || encrypted(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{InventoryHost, Listing};
    use super::*;

    fn hosts(name: &str, variables: Value) -> Result<Vec<InventoryHost>, InventoryError> {
        let listing = json!({"_meta": {"hostvars": {name: variables}}, "all": {"children": ["ungrouped"]}, "ungrouped": {"hosts": [name]}});
        serde_json::from_value::<Listing>(listing).unwrap().hosts()
    }

    #[test]
    fn only_harmless_variables_are_taken() {
        for (variable, value, problem) in [
            ("ansible_host", json!("10.0.0.1"), None),
            ("ansible_host", json!("fe80::1%eth0"), None),
            (
                "ansible_host",
                json!("-oProxyCommand=x"),
                Some("not an address"),
            ),
            ("ansible_host", json!(""), Some("not an address")),
            ("ansible_host", json!(["a"]), Some("not an address")),
            ("ansible_port", json!(22), None),
            ("ansible_port", json!("2222"), None),
            ("ansible_port", json!(99999), Some("not a port")),
            ("ansible_port", json!(0), Some("not a port")),
            ("ansible_user", json!("deploy"), None),
            ("ansible_user", json!("-x y"), Some("not a user name")),
            (
                "ansible_python_interpreter",
                json!("/usr/bin/python3.12"),
                None,
            ),
            (
                "ansible_python_interpreter",
                json!("/bin/sh -c"),
                Some("not the path"),
            ),
            ("ansible_become", json!(true), None),
            ("ansible_become", json!("maybe"), Some("neither")),
            ("ansible_become_exe", json!("/x"), Some("does not pass")),
            (
                "ansible_ssh_common_args",
                json!("-o ProxyCommand=x"),
                Some("does not pass"),
            ),
            ("ansible_connection", json!("local"), Some("none of ssh")),
            ("ansible_connection", json!("winrm"), None),
            ("ansible_connection", json!("psrp"), None),
            ("ansible_winrm_transport", json!("ntlm"), None),
            (
                "ansible_winrm_transport",
                json!(["ntlm"]),
                Some("not a number"),
            ),
            (
                "ansible_winrm_server_cert_validation",
                json!("ignore"),
                None,
            ),
            ("ansible_winrm_operation_timeout_sec", json!(60), None),
            (
                "ansible_winrm_kinit_cmd",
                json!("/tmp/x"),
                Some("does not pass"),
            ),
            ("ansible_psrp_cert_validation", json!(false), None),
            (
                "ansible_psrp_proxy",
                json!("http://x"),
                Some("does not pass"),
            ),
            ("ansible_shell_type", json!("powershell"), None),
            ("ansible_become_method", json!("runas"), None),
            ("ansible_become_user", json!("-x"), Some("not a user name")),
            ("ansible_user", json!("CORP\\deploy"), None),
            ("ansible_password", json!("x"), Some("secret variable")),
            ("ansible_ssh_pass", json!("x"), Some("secret variable")),
            ("ansible_become_pass", json!("x"), Some("secret variable")),
            (
                "deep",
                json!({"a": [{"b": "x {% if y %}"}]}),
                Some("template"),
            ),
            ("deep", json!({"{{ a }}": 1}), Some("template")),
            ("deep", json!("{# a #}"), Some("template")),
            ("deep", json!({"a": ["{ plain }", 1, null]}), None),
            ("secret", json!({"__ansible_vault": "x"}), Some("Vault")),
            ("slipway_root", json!("/srv/web-1"), None),
            ("slipway_root", json!(""), None),
            ("slipway_root", json!("/srv/"), Some("not a folder")),
            ("slipway_root", json!("/srv/../etc"), Some("not a folder")),
            ("slipway_root", json!(7), Some("not a folder")),
            (
                "slipway_install_root",
                json!("/opt/x"),
                Some("slipway_root"),
            ),
        ] {
            let result = hosts("web-1", json!({variable: value}));
            match problem {
                None => assert!(result.is_ok(), "{variable} {value}: {result:?}"),
                Some(part) => {
                    let said = result.unwrap_err().to_string();
                    assert!(
                        said.contains("web-1") && said.contains(variable) && said.contains(part),
                        "{said}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_are_checked() {
        for name in ["we b", "-oProxyCommand=x", "{{ x }}", "a/b"] {
            assert!(
                matches!(hosts(name, json!({})), Err(InventoryError::Name(_))),
                "{name}"
            );
        }
    }
}
