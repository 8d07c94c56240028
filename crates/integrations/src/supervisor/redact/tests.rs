use super::*;

fn redacted(secrets: &[&str], text: &str) -> String {
    let secrets: Vec<_> = secrets.iter().map(ToString::to_string).collect();
    let mut out = Vec::new();
    Redactor::new(&secrets, &OutputRules::default())
        .unwrap()
        .append(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn masks_secrets_however_they_are_written() {
    for (secrets, text, expected) in [
        (&["hunter2!"][..], "a hunter2! b hunter2!", "a *** b ***"),
        (&["abcdef", "defghi"], "xabcdefghix", "x***x"),
        (&["pass", "password"], "password", "***"),
        (&["say \"hi\""], r#"{"m":"say \"hi\""}"#, r#"{"m":"***"}"#),
        (
            &["schlüssel🔑"],
            r#"{"m":"schl\u00fcssel\ud83d\udd11"}"#,
            r#"{"m":"***"}"#,
        ),
        (&["BEGIN\nline-one\nline-two"], "x line-two y", "x *** y"),
        (&["a", ""], "a banana", "a banana"),
        (&[], "plain", "plain"),
    ] {
        assert_eq!(redacted(secrets, text), expected, "{secrets:?} in {text}");
    }
}

#[test]
fn what_looks_like_a_secret_is_masked() {
    for (text, expected) in [
        (
            "Authorization: Bearer abc.DEF-123_~+/=",
            "Authorization: Bearer ***",
        ),
        (
            "authorization: basic dXNlcjpwYXNz, next",
            "authorization: basic ***, next",
        ),
        (
            r#"curl -H "Authorization: token hello" x"#,
            r#"curl -H "Authorization: token ***" x"#,
        ),
        ("sent Bearer 0123456789abcdef0123", "sent Bearer ***"),
        ("password=hunter2", "password=***"),
        ("DB_PASSWORD=hunter2 next", "DB_PASSWORD=*** next"),
        ("password: hunter2", "password: ***"),
        ("Password : 'two words' next", "Password : '***' next"),
        ("mysql --password hunter2 -e x", "mysql --password *** -e x"),
        (
            "postgres://app:s3cret@db:5432/app",
            "postgres://app:***@db:5432/app",
        ),
        (
            "git clone https://user:pa%20ss@host/x",
            "git clone https://user:***@host/x",
        ),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
            "aws_secret_access_key = ***",
        ),
        ("x xoxb-123456789012-abcdefABCDEF y", "x *** y"),
        (
            "https://hooks.slack.com/services/T0/B0/XyZ ok",
            "https://hooks.slack.com/services/*** ok",
        ),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "***"),
        ("github_pat_11AAAAAAA0aaaaaaaaaaaa_bbbb", "***"),
        (
            "DD_API_KEY=0123456789abcdef0123456789abcdef",
            "DD_API_KEY=***",
        ),
        (
            "api_key: \"0123456789abcdef0123456789abcdef\"",
            "api_key: \"***\"",
        ),
        (
            "app_key=0123456789abcdef0123456789abcdef01234567",
            "app_key=***",
        ),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end",
            "*** end",
        ),
        (
            "key: -----BEGIN RSA PRIVATE KEY----- MIIE+/= -----END RSA PRIVATE KEY----- end",
            "key: *** end",
        ),
        (
            "Server=db;Pwd=hunter2;Encrypt=no",
            "Server=db;Pwd=***;Encrypt=no",
        ),
        ("Passphrase: hunter2", "Passphrase: ***"),
        ("AccountKey=abcdefgh0123456789==;x", "AccountKey=***;x"),
        ("signingKey: 0123456789abcdef0123", "signingKey: ***"),
        ("password=password=hunter2 end", "password=*** end"),
        // As JSON, and as JSON within JSON.
        (
            r#"{"m":"password=a\"b","n":1}"#,
            r#"{"m":"password=***\"b","n":1}"#,
        ),
        (
            r#"{"password":"a\"b c","n":1}"#,
            r#"{"password":"***","n":1}"#,
        ),
        (
            r#"{"m":"{\"password\": \"a b\", \"n\": 1}"}"#,
            r#"{"m":"{\"password\": \"***\", \"n\": 1}"}"#,
        ),
        (
            r#"{"m":"password: hunter2\nnext"}"#,
            r#"{"m":"password: ***\nnext"}"#,
        ),
        (
            r#"{"m":"'password': 'it is', 'n'"}"#,
            r#"{"m":"'password': '***', 'n'"}"#,
        ),
        (r#"{"m":"password='open"}"#, r#"{"m":"password='***"}"#),
        (
            r#"{"m":"-----BEGIN PRIVATE KEY-----\nMIIE\nabc=\n-----END PRIVATE KEY-----\n"}"#,
            r#"{"m":"***\n"}"#,
        ),
        (
            r#"{"m":"-----BEGIN PRIVATE KEY-----\nMIIEcut"}"#,
            r#"{"m":"***"}"#,
        ),
        // As Ansible tells the lines of an output.
        (
            r#"{"lines": ["-----BEGIN PRIVATE KEY-----", "MIIE", "abc=", "-----END PRIVATE KEY-----", "next"]}"#,
            r#"{"lines": ["***", "next"]}"#,
        ),
        (
            r#"{"m":"[\"-----BEGIN PRIVATE KEY-----\",\"MIIE\",\n \"cut\"]"}"#,
            r#"{"m":"[\"***\"]"}"#,
        ),
    ] {
        assert_eq!(redacted(&[], text), expected);
        if text.starts_with('{') {
            serde_json::from_str::<IgnoredAny>(&redacted(&[], text)).unwrap();
        }
    }
}

#[test]
fn a_private_key_is_masked_in_colours_in_a_diff_and_in_an_event() {
    let shipped = Redactor::new(&[], &OutputRules::default()).unwrap();
    let key = [
        "-----BEGIN PRIVATE KEY-----",
        "MIIEabc+/=",
        "c2VjcmV0",
        "-----END PRIVATE KEY-----",
    ];
    for (before, after) in [
        ("", ""),
        ("    ", ""),
        ("+", ""),
        ("-", ""),
        ("\u{1b}[0;31m-    ", "\u{1b}[0m"),
        ("\u{1b}[32m+", "\u{1b}[m"),
    ] {
        let (mut out, mut block) = (Vec::new(), KeyBlock::default());
        for line in key.iter().chain(&["ok: [web-1]"]) {
            let line = format!("{before}{line}{after}\n");
            shipped.append_line(line.as_bytes(), &mut block, &mut out);
        }
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("MIIE") && !out.contains("c2Vj"), "{out}");
        assert!(out.contains("ok: [web-1]"), "{out}");
    }
    let rules = OutputRules {
        patterns: vec!["[a-z]{1,9}-needle".to_owned()],
        ..OutputRules::default()
    };
    let own = Redactor::new(&[], &rules).unwrap();
    let event = serde_json::json!({ "m": format!("a-needle\n{}\nend", key.join("\n")) });
    let mut out = Vec::new();
    own.append_json(format!("{event}\n").as_bytes(), &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains("MIIE") && !out.contains("c2Vj"), "{out}");
    assert!(out.contains("end"), "{out}");
}

#[test]
fn ordinary_words_stay() {
    for text in [
        "TASK [datadog_agent : Ask for the password] ****",
        "ok: [web-1] => (item=token)",
        "Enter password:",
        "password: required",
        "password: {{ vault_password }}",
        "update_password: on_create",
        "password: must be longer than eight letters",
        "the password is wrong; the token: expired",
        "\"no_log\": true, \"password\": null",
        "secret: some-name",
        "token_count=12 tokens: 7",
        "api_key: see the vault",
        "Authorization: required",
        "the bearer of good news and bearer authentication",
        "primary_key: id, foreign_key: user_id",
        "ssh-keygen -t ed25519; known key: 7",
        "see https://docs.example.com:8443/a@b and http://127.0.0.1:80",
        "user@host: ok",
        "-----BEGIN CERTIFICATE-----",
        "https://hooks.slack.com/",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "sha256:0123456789abcdef0123456789abcdef",
        "keyboard, monkey, turkey: 12345678901234567890",
        "{\"seq\":1,\"t\":1700000000000,\"kind\":\"task\",\"task\":\"Rotate keys\",\"task_id\":\"0242-ac11\"}",
        "if password == \"\": pass",
    ] {
        assert_eq!(redacted(&[], text), text);
    }
}

#[test]
fn shapes_are_left_alone_only_when_that_is_said() {
    let rules = OutputRules {
        well_known: false,
        ..OutputRules::default()
    };
    let mut out = Vec::new();
    Redactor::new(&["known".to_owned()], &rules)
        .unwrap()
        .append(b"password=hunter2 known", &mut out);
    assert_eq!(out, b"password=hunter2 ***");
}

#[test]
fn patterns_of_the_installation_mask_and_json_stays_json() {
    let rules = OutputRules {
        patterns: vec![
            "acme-[0-9]{4,8}".to_owned(),
            r#"(?i)cut.{0,20}end"#.to_owned(),
            "17".to_owned(),
        ],
        ..OutputRules::default()
    };
    rules.check().unwrap();
    let redactor = Redactor::new(&[], &rules).unwrap();
    for (line, expected) in [
        ("{\"m\":\"acme-12345\"}\n", "{\"m\":\"***\"}\n"),
        (
            "{\"m\":\"cut\",\"n\":\"end\"}\n",
            "{\"m\":\"cut\",\"n\":\"end\"}\n",
        ),
        (
            "{\"m\":\"Cut \\\"it\\\" end\",\"t\":1700}\n",
            "{\"m\":\"***\",\"t\":1700}\n",
        ),
    ] {
        let mut out = Vec::new();
        redactor.append_json(line.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_pattern_that_cannot_be_used_is_named() {
    for (text, why) in [
        ("a[", "no regular expression"),
        ("a.*", "without end"),
        ("a{1,2000}", "without end"),
        ("a{0,3}", "nothing at all"),
        (r"\d{3}\w", ""),
        ("^acme$", ""),
    ] {
        let rules = OutputRules {
            patterns: vec![text.to_owned()],
            ..OutputRules::default()
        };
        let told = rules
            .check()
            .map_or_else(|error| error.to_string(), |()| String::new());
        assert!(
            told.contains(why) && told.is_empty() == why.is_empty(),
            "{text}: {told}"
        );
        assert!(
            told.is_empty() || told.contains(text) && !told.contains('\n'),
            "{told}"
        );
    }
}
