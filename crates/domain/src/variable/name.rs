//! What a variable may be called.

use crate::text::shown;

/// Names with which Ansible or Python means something else.
const RESERVED: &[&str] = &[
    "action",
    "always",
    "and",
    "any",
    "any_errors_fatal",
    "args",
    "as",
    "assert",
    "async",
    "async_val",
    "await",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "block",
    "break",
    "changed_when",
    "check_mode",
    "class",
    "collections",
    "connection",
    "continue",
    "cycler",
    "debugger",
    "def",
    "del",
    "delay",
    "delegate_facts",
    "delegate_to",
    "dict",
    "diff",
    "elif",
    "else",
    "environment",
    "except",
    "fact_path",
    "failed_when",
    "finally",
    "for",
    "force_handlers",
    "from",
    "gather_facts",
    "gather_timeout",
    "global",
    "group_names",
    "groups",
    "handlers",
    "hosts",
    "hostvars",
    "if",
    "ignore_errors",
    "ignore_unreachable",
    "import",
    "in",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "is",
    "item",
    "joiner",
    "lambda",
    "lipsum",
    "local_action",
    "lookup",
    "loop",
    "loop_control",
    "max_fail_percentage",
    "module_defaults",
    "name",
    "namespace",
    "no_log",
    "nonlocal",
    "not",
    "notify",
    "now",
    "omit",
    "or",
    "order",
    "pass",
    "play_hosts",
    "playbook_dir",
    "poll",
    "port",
    "post_tasks",
    "pre_tasks",
    "q",
    "query",
    "raise",
    "range",
    "register",
    "remote_user",
    "rescue",
    "retries",
    "return",
    "role_name",
    "role_names",
    "role_path",
    "roles",
    "run_once",
    "serial",
    "strategy",
    "tags",
    "tasks",
    "template",
    "throttle",
    "timeout",
    "try",
    "undef",
    "until",
    "vars",
    "vars_files",
    "vars_prompt",
    "when",
    "while",
    "with",
    "with_",
    "yield",
];

/// What reaches a host with a password, which only a secret may hold.
pub(crate) const CONNECTING: &[&str] = &["ansible_password", "ansible_become_password"];

/// With these the agent's playbooks read files of the machine Slipway runs on, which is not for whoever sets variables.
const READING_FILES: &[&str] = &[
    "datadog_api_key_file",
    "datadog_app_key_file",
    "datadog_apt_keys",
    "datadog_yum_keys",
];

/// Whether playbooks can know a variable by this name and mean nothing else by it.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if !starts || text.len() > 64 || !text.chars().all(plain) {
        return Err(format!(
            "“{}” cannot be the name of a variable. Start with a letter and use up to 64 letters, digits and underscores, such as “http_port”.",
            shown(text)
        ));
    }
    let lower = text.to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str()) {
        return Err(format!(
            "A variable cannot be called “{text}”: Ansible means something else by it."
        ));
    }
    if READING_FILES.contains(&lower.as_str()) {
        return Err(format!(
            "“{text}” would read a file of the machine that Slipway runs on. Set the key itself, as a secret."
        ));
    }
    if lower.starts_with("slipway_") {
        return Err(
            "Names that begin with “slipway_” are Slipway's own. Choose another.".to_owned(),
        );
    }
    if lower.starts_with("ansible_") && !CONNECTING.contains(&text) {
        return Err(format!(
            "How hosts are reached is said by the environment and its inventory. Of Ansible's own variables only {} can be set here, as secrets.",
            CONNECTING.join(" and ")
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_those_of_variables() {
        for good in ["http_port", "A1", "ansible_password", "environment_name"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1a",
            "a-b",
            "a.b",
            "_a",
            "slipway_version",
            "datadog_api_key_file",
            "Slipway_x",
            "ansible_host",
            "ansible_python_interpreter",
            "hosts",
            "Vars",
            "class",
            "ä",
            "a b",
            &"a".repeat(65),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
