//! Where somebody goes after signing in: a page of this console, whatever the link says.

use url::Url;

const LONGEST: usize = 1024;

/// The address on this site that `wanted` names, or the front page.
pub fn return_to(base_url: &Url, wanted: Option<&str>) -> Url {
    wanted
        .and_then(|wanted| within(base_url, wanted))
        .unwrap_or_else(|| base_url.clone())
}

fn within(base_url: &Url, wanted: &str) -> Option<Url> {
    let plain =
        wanted.len() <= LONGEST && !wanted.contains('\\') && !wanted.chars().any(char::is_control);
    if !plain || !wanted.starts_with('/') || wanted.starts_with("//") {
        return None;
    }
    let url = base_url.join(wanted).ok()?;
    // Signing in is no place to come back to.
    let home = url.origin() == base_url.origin() && !url.path().starts_with("/auth/");
    home.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_leaves_the_site() {
        let base: Url = "https://slipway.example.com".parse().unwrap();
        let table = [
            (None, "/"),
            (Some("/rollouts/1?tab=log#L7"), "/rollouts/1?tab=log#L7"),
            (Some("/"), "/"),
            (Some("/a b"), "/a%20b"),
            (Some("/%2F/evil.example"), "/%2F/evil.example"),
            (Some("/.//evil.example"), "//evil.example"),
            (Some(""), "/"),
            (Some("rollouts"), "/"),
            (Some("//evil.example"), "/"),
            (Some("///evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("\\\\evil.example"), "/"),
            (Some("/\t/evil.example"), "/"),
            (Some("/\n/evil.example"), "/"),
            (Some("https://evil.example/"), "/"),
            (Some("https:evil.example"), "/"),
            (Some("javascript:alert(1)"), "/"),
            (Some("@evil.example"), "/"),
            (Some("/auth/login?return_to=/"), "/"),
            (Some("/auth/logout"), "/"),
        ];
        for (wanted, path) in table {
            let url = return_to(&base, wanted);
            assert_eq!(
                url.as_str(),
                format!("https://slipway.example.com{path}"),
                "{wanted:?}"
            );
        }
        assert_eq!(
            return_to(&base, Some(&format!("/{}", "a".repeat(2000)))),
            base
        );
    }
}
