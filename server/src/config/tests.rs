use super::*;

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn config(toml: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    read(Figment::new().merge(Toml::string(toml)), variables)
}

fn checked(toml: &str, variables: &[(&str, &str)]) -> Result<Checked, ConfigError> {
    config(toml, variables)?.check()
}

fn good(extra: &str) -> String {
    format!(
        "secret_key = \"{KEY}\"\n{extra}\n[oidc]\nissuer = \"https://id.example.com\"\nclient_id = \"slipway\"\n"
    )
}

#[test]
fn little_is_needed() {
    let checked = checked(&good(""), &[]).unwrap();
    assert_eq!(checked.listen.to_string(), "127.0.0.1:8400");
    assert_eq!(checked.base_url.as_str(), "http://127.0.0.1:8400/");
    assert_eq!(checked.settings.time_scale, 1);
    assert!(
        checked
            .settings
            .database_url
            .ends_with("slipway-data/slipway.db"),
        "{}",
        checked.settings.database_url
    );
}

#[test]
fn proxies_are_addresses_and_networks() {
    let proxies = |toml: &str, variables: &[(&str, &str)]| {
        let checked = checked(&good(toml), variables).map_err(|why| why.to_string())?;
        Ok::<_, String>(
            checked
                .trusted_proxies
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(proxies("", &[]), Ok(vec![]));
    let written = "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"fd00::/8\"]";
    let read = ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"].map(str::to_owned);
    assert_eq!(proxies(written, &[]), Ok(read.to_vec()));
    let variable = [("SLIPWAY_TRUSTED_PROXIES", "127.0.0.1 10.0.0.0/8")];
    assert_eq!(proxies("", &variable), Ok(read[..2].to_vec()));
    let why = proxies("trusted_proxies = [\"nginx\"]", &[]).unwrap_err();
    assert!(why.contains("but holds “nginx”"), "{why}");
}

#[test]
fn the_environment_wins_and_text_stays_text() {
    let checked = checked(
        &good("time_scale = 2"),
        &[
            ("SLIPWAY_TIME_SCALE", "8640"),
            ("SLIPWAY_OIDC__CLIENT_SECRET", "0123456789"),
            ("SLIPWAY_OIDC__SCOPES", "openid email"),
            ("SLIPWAY_DATADOG__URL", "http://127.0.0.1:9/"),
            (
                "SLIPWAY_DATADOG__API_KEY",
                "00000000000000000000000000000001",
            ),
            ("SLIPWAY_DATADOG__APP_KEY", "1e9"),
            (
                "SLIPWAY_ROLES",
                "[{group=\"team-payments\", role=\"member\", team=\"payments\"}]",
            ),
            ("DATABASE_URL", "postgres://elsewhere/slipway"),
            ("SLIPWAY_DATABASE_URL", "postgres://here/slipway"),
            ("SLIPWAY_PORT_8400_TCP", "set by a container platform"),
        ],
    )
    .unwrap();
    use secrecy::ExposeSecret as _;
    assert_eq!(checked.settings.time_scale, 8640);
    assert_eq!(
        checked.oidc[0]
            .client_secret
            .clone()
            .unwrap()
            .expose_secret(),
        "0123456789"
    );
    assert_eq!(checked.oidc[0].scopes, ["openid", "email"]);
    let datadog = checked.settings.datadog.unwrap();
    assert_eq!(
        datadog.api_key.expose_secret(),
        "00000000000000000000000000000001"
    );
    assert_eq!(datadog.app_key.expose_secret(), "1e9");
    assert_eq!(
        checked.settings.role_rules[0]
            .team
            .as_ref()
            .unwrap()
            .as_str(),
        "payments"
    );
    assert_eq!(checked.settings.database_url, "postgres://here/slipway");
}

/// Each refusal names the setting, and the words tell what to do.
#[test]
fn refusals_name_the_setting_and_the_next_step() {
    /// Case, file, environment, words of the refusal.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let table: &[Case] = &[
        (
            "no key",
            "",
            &[],
            &[
                "secret_key",
                "openssl rand -base64 32",
                "SLIPWAY_SECRET_KEY",
            ],
        ),
        (
            "short key",
            "secret_key = \"c2hvcnQ=\"",
            &[],
            &["secret_key", "32 bytes"],
        ),
        (
            "no base64",
            "secret_key = \"%%%\"",
            &[],
            &["secret_key", "base64"],
        ),
        (
            "zero key",
            "secret_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
            &[],
            &["secret_key", "not random"],
        ),
        (
            "no provider",
            &format!("secret_key = \"{KEY}\""),
            &[],
            &["oidc", "[oidc]"],
        ),
        (
            "half a provider",
            "[oidc]\nissuer = \"https://id.example.com\"",
            &[],
            &["oidc.client_id", "missing", "SLIPWAY_OIDC__CLIENT_ID"],
        ),
        (
            "provider over http",
            &good(""),
            &[("SLIPWAY_OIDC__ISSUER", "http://id.example.com")],
            &["oidc.issuer", "https://"],
        ),
        (
            "no openid",
            &good(""),
            &[("SLIPWAY_OIDC__SCOPES", "email")],
            &["oidc.scopes", "openid"],
        ),
        (
            "misspelt",
            &good("lissen = \"127.0.0.1:1\""),
            &[],
            &["lissen", "listen"],
        ),
        (
            "misspelt inside",
            &good(""),
            &[("SLIPWAY_OIDC__ISUER", "x")],
            &["oidc.isuer", "issuer"],
        ),
        (
            "listen",
            &good("listen = \"8400\""),
            &[],
            &["listen", "127.0.0.1:8400"],
        ),
        (
            "listen type",
            &good("listen = 8400"),
            &[],
            &["listen", "string"],
        ),
        (
            "public without address",
            &good("listen = \"0.0.0.0:8400\""),
            &[],
            &["base_url", "https://slipway.example.com"],
        ),
        (
            "plain http",
            &good("base_url = \"http://slipway.example.com\""),
            &[],
            &["base_url", "https://"],
        ),
        (
            "under a path",
            &good("base_url = \"https://example.com/slipway\""),
            &[],
            &["base_url", "path"],
        ),
        (
            "time",
            &good("time_scale = 0"),
            &[],
            &["time_scale", "1 or more"],
        ),
        (
            "time in words",
            &good(""),
            &[("SLIPWAY_TIME_SCALE", "fast")],
            &["time_scale", "whole number"],
        ),
        (
            "database",
            &good("database_url = \"mysql://x\""),
            &[],
            &["database_url", "sqlite://", "postgres://"],
        ),
        (
            "role",
            &good("roles = [{ group = \"g\", role = \"root\" }]"),
            &[],
            &["roles[0].role", "admin", "operator"],
        ),
        (
            "member without team",
            &good("roles = [{ group = \"g\", role = \"member\" }]"),
            &[],
            &["roles[0].team", "payments"],
        ),
        (
            "team",
            &good("roles = [{ group = \"g\", role = \"member\", team = \"A B\" }]"),
            &[],
            &["roles[0].team", "A B"],
        ),
        (
            "datadog site",
            &good("datadog = { api_key = \"a\", app_key = \"b\" }"),
            &[],
            &["datadog.site", "datadoghq.eu"],
        ),
        (
            "datadog key",
            &good("datadog = { site = \"datadoghq.eu\", api_key = \"a\\n\", app_key = \"b\" }"),
            &[],
            &["datadog.api_key", "SLIPWAY_DATADOG__API_KEY", "line break"],
        ),
        (
            "datadog keys",
            &good("datadog = { site = \"datadoghq.eu\", api_key = \"a\" }"),
            &[],
            &["datadog.app_key", "missing"],
        ),
        (
            "forks",
            &good("ansible = { forks = 0 }"),
            &[],
            &["ansible.forks", "between 1 and 500"],
        ),
        (
            "jobs at once",
            &good("jobs = { at_once = 2 }"),
            &[],
            &["jobs.at_once", "between 3 and 100"],
        ),
        (
            "deploys in an environment",
            &good("jobs = { deploys_in_environment = 0 }"),
            &[],
            &["jobs.deploys_in_environment", "between 1 and 100"],
        ),
        (
            "days of outputs",
            &good("outputs = { keep_days = 0 }"),
            &[],
            &["outputs.keep_days", "between 1 and 36500"],
        ),
        (
            "length of one output",
            &good("outputs = { most_megabytes = 0 }"),
            &[],
            &["outputs.most_megabytes", "between 1 and 1000000"],
        ),
        (
            "pattern to mask that is none",
            &good("outputs = { redact = [\"acme-[0-9\"] }"),
            &[],
            &["outputs.redact", "acme-[0-9", "no regular expression"],
        ),
        (
            "pattern to mask without end",
            &good("outputs = { redact = [\"acme-.*\"] }"),
            &[],
            &["outputs.redact", "without end", "{1,200}"],
        ),
        (
            "bucket",
            &good("outputs = { s3 = { bucket = \"\" } }"),
            &[],
            &["outputs.s3.bucket", "empty"],
        ),
        (
            "half a pair of keys",
            &good("outputs = { s3 = { bucket = \"outputs\", access_key_id = \"one\" } }"),
            &[],
            &["outputs.s3.secret_access_key", "belong together"],
        ),
        (
            "store over plain HTTP",
            &good(
                "outputs = { s3 = { bucket = \"outputs\", endpoint = \"http://store.example\" } }",
            ),
            &[],
            &["outputs.s3.endpoint"],
        ),
        (
            "key file",
            &good("ansible = { ssh_private_key = \"/nowhere/key\" }"),
            &[],
            &["ansible.ssh_private_key", "/nowhere/key"],
        ),
        ("no toml", "listen = ", &[], &["cannot be read"]),
    ];
    for (case, toml, variables, words) in table {
        let refusal = checked(toml, variables).expect_err(case).to_string();
        for word in *words {
            assert!(refusal.contains(word), "{case}: “{refusal}” lacks “{word}”");
        }
        assert!(!refusal.contains('\n'), "{case}: {refusal}");
        assert!(!refusal.contains(KEY), "{case} shows the key");
    }
}

/// Without these no job could run, and nobody would know before the first rollout.
#[test]
fn what_runs_jobs_must_be_there() {
    let project = tempfile::tempdir().unwrap();
    let refusal = |program: &str| {
        let dir = project.path().display();
        let ansible =
            format!("ansible = {{ playbook_bin = \"{program}\", project_dir = \"{dir}\" }}");
        checked(&good(&ansible), &[])
            .unwrap()
            .installed()
            .map_err(|error| error.to_string())
    };
    for missing in [
        "/nowhere/ansible-playbook",
        "no-such-program",
        "/etc/passwd",
    ] {
        let said = refusal(missing).unwrap_err();
        for word in [
            missing,
            "ansible.playbook_bin",
            "SLIPWAY_ANSIBLE__PLAYBOOK_BIN",
        ] {
            assert!(said.contains(word), "{said}");
        }
    }
    std::fs::create_dir(project.path().join("playbooks")).unwrap();
    for playbook in ["deploy", "probe", "rollback"] {
        let said = refusal("sh").unwrap_err();
        for word in [
            playbook,
            "ansible.project_dir",
            "SLIPWAY_ANSIBLE__PROJECT_DIR",
        ] {
            assert!(said.contains(word), "{said}");
        }
        std::fs::write(project.path().join(format!("playbooks/{playbook}.yml")), "").unwrap();
    }
    refusal("sh").unwrap();
}

#[test]
fn a_named_file_must_exist() {
    let refusal = load(Some(Path::new("/nowhere/slipway.toml")))
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("/nowhere/slipway.toml") && refusal.contains("--config"),
        "{refusal}"
    );
}

#[test]
fn each_rule_belongs_to_a_provider() {
    let two = |rule: &str| {
        format!(
            "secret_key = \"{KEY}\"\n[oidc]\nissuer = \"https://id.example.com\"\nclient_id = \"slipway\"\n[[oidc.others]]\nname = \"contractors\"\ntitle = \"Contractors\"\nissuer = \"https://id.example.org\"\nclient_id = \"slipway-2\"\n[[roles]]\ngroup = \"admins\"\nrole = \"admin\"\n{rule}\n"
        )
    };
    for (provider, issuer) in [
        ("main", "https://id.example.com"),
        ("contractors", "https://id.example.org"),
    ] {
        let text = two(&format!("provider = \"{provider}\""));
        let checked = checked(&text, &[]).unwrap();
        let named: Vec<_> = checked
            .oidc
            .iter()
            .map(|oidc| (&*oidc.name, &*oidc.title))
            .collect();
        assert_eq!(
            named,
            [("main", "id.example.com"), ("contractors", "Contractors")]
        );
        assert_eq!(
            checked.settings.role_rules[0].issuer.as_deref(),
            Some(issuer)
        );
    }
    let one = good("[[roles]]\ngroup = \"admins\"\nrole = \"admin\"");
    let only = checked(&one, &[]).unwrap().settings.role_rules.remove(0);
    assert_eq!(only.issuer.as_deref(), Some("https://id.example.com"));

    for (text, parts) in [
        (two(""), ["roles[0].provider", "missing"]),
        (
            two("provider = \"theirs\""),
            ["roles[0].provider", "main, contractors"],
        ),
        (
            two("provider = \"main\"").replace("\"contractors\"", "\"main\""),
            ["others[0].name", "main"],
        ),
        (
            two("provider = \"main\"").replace("\"contractors\"", "\"a/b\""),
            ["others[0].name", "short"],
        ),
        (
            two("provider = \"main\"").replace("example.org", "example.com"),
            ["others[0].issuer", "already"],
        ),
        (
            two("provider = \"main\"").replace("slipway-2", " "),
            ["others[0].client_id", "empty"],
        ),
        (
            two("provider = \"main\"").replace("https://id.example.org", "http://id.example.org"),
            ["others[0].issuer", "https"],
        ),
    ] {
        let why = checked(&text, &[]).unwrap_err().to_string();
        assert!(parts.iter().all(|part| why.contains(part)), "{why}");
    }
}
