//! The real git, with repositories of this machine and by ssh.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where its setting fails"
)]

#[path = "support/sshd.rs"]
mod sshd;

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use integrations::git::{Access, Commit, Git, GitError, GitUrl, MOST_BYTES, MOST_FILES, Source};
use sshd::{Sshd, free_port, key_pair, me};

/// A repository to fetch from, and a place to fetch to.
struct Site {
    keep: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            keep: tempfile::tempdir().unwrap(),
        };
        site.git(&["init", "--quiet", "--initial-branch=main"], "");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.keep.path().join(name)
    }

    /// Runs git in the repository that is fetched from.
    fn git(&self, args: &[&str], input: &str) -> String {
        let origin = self.path("origin");
        fs::create_dir_all(&origin).unwrap();
        let mut git = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_DATE", "2026-02-02T03:04:05Z")
            .current_dir(origin)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = git.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let done = git.wait_with_output().unwrap();
        assert!(done.status.success(), "{args:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path("origin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all", "--force"], "");
        self.git(&["commit", "--quiet", "--message", subject], "");
        self.git(&["rev-parse", "HEAD"], "")
    }

    /// Makes a commit of this tree, as no working folder could hold it.
    fn commit_tree(&self, entries: &str) -> String {
        let tree = self.git(&["mktree", "--missing"], entries);
        let commit = self.git(&["commit-tree", &tree, "-m", "odd"], "");
        self.git(&["update-ref", "refs/heads/odd", &commit], "");
        commit
    }

    fn here(&self) -> Git {
        Git {
            allow_folders: true,
            ..Git::new(self.path("cache"))
        }
    }

    fn source(&self, revision: &str) -> Source {
        Source {
            url: GitUrl::of_folder(&self.path("origin")).unwrap(),
            revision: revision.parse().unwrap(),
            access: Access::Public,
        }
    }

    async fn fetch(&self, revision: &str) -> Result<Commit, GitError> {
        self.here().fetch(&self.source(revision)).await
    }

    async fn checkout(&self, revision: &str) -> Result<PathBuf, GitError> {
        let source = self.source(revision);
        let commit = self.here().fetch(&source).await?;
        self.here()
            .checkout(&source, &commit.id, &self.path("projects"))
            .await
    }

    /// What is in the folder of checkouts; a refused one leaves nothing.
    fn left(&self) -> usize {
        fs::read_dir(self.path("projects")).map_or(0, Iterator::count)
    }
}

#[tokio::test]
async fn branches_tags_and_commits_are_pinned_and_written() {
    let site = Site::new();
    site.write("site.yml", "- hosts: all\n");
    site.write("bin/run", "#!/bin/sh\n");
    let program = site.path("origin/bin/run");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../site.yml", site.path("origin/bin/site")).unwrap();
    let first = site.commit("First: ünïcode");
    site.git(&["tag", "--annotate", "--message", "one", "v1"], "");
    site.git(&["branch", "feature/x"], "");
    site.write("site.yml", "- hosts: web\n");
    let second = site.commit("Second\n\nMore.");
    site.write("site.yml", "- hosts: db\n");
    let third = site.commit("Third");

    for (revision, id, subject) in [
        ("main", &third, "Third"),
        ("refs/heads/main", &third, "Third"),
        ("HEAD", &third, "Third"),
        ("v1", &first, "First: ünïcode"),
        ("feature/x", &first, "First: ünïcode"),
        (&second, &second, "Second"),
        (&first, &first, "First: ünïcode"),
    ] {
        let commit = site.fetch(revision).await.unwrap();
        assert_eq!(
            (commit.id.as_str(), commit.subject.as_str()),
            (id.as_str(), subject),
            "{revision}"
        );
        assert_eq!(commit.authored.to_string(), "2026-01-02T03:04:05Z");
    }
    let folder = site.checkout("v1").await.unwrap();
    assert_eq!(folder, site.path("projects").join(&first));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("site.yml"), "- hosts: all\n");
    assert_eq!(read("bin/site"), "- hosts: all\n");
    let mode = |name: &str| {
        fs::metadata(folder.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("site.yml"), mode("bin/run")), (0o600, 0o700));
    assert!(!folder.join(".git").exists());
    // What is there is taken as it is.
    assert_eq!(site.checkout("v1").await.unwrap(), folder);
    assert_eq!(site.left(), 1);

    // What a fetch left that was ended half-way is in nobody's way.
    let cached = fs::read_dir(site.path("cache")).unwrap().flatten();
    let mut cached = cached
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    let repository = cached.next().unwrap();
    for left in ["shallow.lock", "objects/pack/tmp_pack_x"] {
        fs::write(repository.join(left), "").unwrap();
    }
    // A branch that moved is seen; a commit that is known needs no host.
    site.write("site.yml", "- hosts: cache\n");
    let fourth = site.commit("Fourth");
    assert_eq!(site.fetch("main").await.unwrap().id.as_str(), fourth);
    fs::rename(site.path("origin"), site.path("gone")).unwrap();
    assert!(site.fetch(&second).await.is_ok());
    let error = site.fetch("main").await.unwrap_err();
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn nothing_of_a_repository_is_run() {
    let site = Site::new();
    let ran = site.path("ran");
    let touch = format!("touch {}", ran.display());
    site.write("a.txt", "a\r\n$Id$\n");
    site.write(
        ".gitattributes",
        "* filter=evil text eol=lf ident export-ignore\n",
    );
    site.write(
        ".gitmodules",
        &format!("[submodule \"x\"]\n\tpath = sub\n\turl = ext::sh -c '{touch}'\n"),
    );
    site.git(&["config", "filter.evil.clean", "cat"], "");
    site.commit("One");
    let head = site.git(&["rev-parse", "HEAD"], "");
    let add = format!("160000,{head},sub");
    site.git(&["update-index", "--add", "--cacheinfo", &add], "");
    site.git(&["commit", "--quiet", "--message", "Two"], "");
    for place in ["hooks", "../hooks"] {
        for hook in [
            "post-checkout",
            "post-merge",
            "reference-transaction",
            "fsmonitor-watchman",
        ] {
            let path = site.path("origin/.git").join(place).join(hook);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    site.git(&["config", "filter.evil.smudge", &touch], "");
    site.git(&["config", "core.fsmonitor", &touch], "");
    let folder = site.checkout("main").await.unwrap();
    // To the byte, whatever the attributes say.
    assert_eq!(
        fs::read(folder.join("a.txt")).unwrap(),
        site.git(&["cat-file", "blob", "HEAD:a.txt"], "")
            .into_bytes()
            .into_iter()
            .chain(*b"\n")
            .collect::<Vec<_>>()
    );
    assert!(!folder.join("sub").exists());
    assert!(!ran.exists());
}

#[tokio::test]
async fn commits_that_could_write_elsewhere_are_refused() {
    let site = Site::new();
    site.write("a", "content");
    site.commit("One");
    let file = site.git(&["rev-parse", "HEAD:a"], "");
    let sub = site.git(&["mktree"], &format!("100644 blob {file}\tx\n"));
    fs::write(site.path("secret"), "s").unwrap();
    let link = |to: &str| site.git(&["hash-object", "-w", "--stdin"], to);
    let out = site.path("secret");
    for (entries, name) in [
        (
            format!("120000 blob {}\tl\n", link(out.to_str().unwrap())),
            "l",
        ),
        (format!("120000 blob {}\tl\n", link("../../secret")), "l"),
        (format!("120000 blob {}\tl\n", link("nowhere")), "l"),
        (format!("120000 blob {}\tl\n", link("l")), "l"),
        // Each by itself stays inside.
        (
            format!(
                "120000 blob {}\ta\n120000 blob {}\tb\n040000 tree {sub}\td\n",
                link("d/.."),
                link("a/../../secret")
            ),
            "b",
        ),
    ] {
        let commit = site.commit_tree(&entries);
        let error = site.checkout(&commit).await.unwrap_err();
        assert!(
            matches!(&error, GitError::Link { path, .. } if path == name),
            "{entries}: {error}"
        );
    }
    // Trees that git itself does not make.
    let raw = |name: &str| {
        let mut tree = format!("100644 {name}\0").into_bytes();
        tree.extend((0..20).map(|at| u8::from_str_radix(&file[at * 2..at * 2 + 2], 16).unwrap()));
        fs::write(site.path("tree"), tree).unwrap();
        let path = site.path("tree");
        let tree = site.git(
            &[
                "hash-object",
                "-t",
                "tree",
                "-w",
                "--literally",
                path.to_str().unwrap(),
            ],
            "",
        );
        site.git(&["commit-tree", &tree, "-m", "odd"], "")
    };
    for name in ["..", ".git", ".GIT", "../../evil", "/etc/evil"] {
        let commit = raw(name);
        site.git(&["update-ref", "refs/heads/odd", &commit], "");
        let error = site.checkout("odd").await.unwrap_err();
        assert!(
            matches!(error, GitError::Path { .. } | GitError::Failed { .. }),
            "{name}: {error}"
        );
    }
    assert_eq!(site.left(), 0);
    assert!(!site.path("evil").exists());
}

#[tokio::test]
async fn too_much_is_refused_before_it_is_written() {
    let site = Site::new();
    let file = site.git(&["hash-object", "-w", "--stdin"], "x");
    let many: String = (0..=MOST_FILES)
        .map(|number| format!("100644 blob {file}\tf{number:06}\n"))
        .collect();
    site.commit_tree(&many);
    let error = site.checkout("odd").await.unwrap_err();
    assert!(
        matches!(error, GitError::ManyFiles { files, .. } if files == MOST_FILES + 1),
        "{error}"
    );

    // One object that many names share counts as often as it is written.
    let large = site.git(&["hash-object", "-w", "--stdin"], &"x".repeat(1 << 20));
    let heavy: String = (0..=MOST_BYTES >> 20)
        .map(|number| format!("100644 blob {large}\tf{number:06}\n"))
        .collect();
    site.commit_tree(&heavy);
    let error = site.checkout("odd").await.unwrap_err();
    assert!(matches!(error, GitError::Large { .. }), "{error}");
    assert_eq!(site.left(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_not_trip_over_each_other() {
    let site = Site::new();
    site.write("a", "1");
    let first = site.commit("One");
    site.git(&["branch", "one"], "");
    site.write("a", "2");
    let second = site.commit("Two");
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (git, into) = (site.here(), site.path("projects"));
        let source = site.source(if number % 2 == 0 { "one" } else { "main" });
        tasks.spawn(async move {
            let commit = git.fetch(&source).await.unwrap();
            let folder = git.checkout(&source, &commit.id, &into).await.unwrap();
            (
                number % 2,
                commit.id,
                fs::read_to_string(folder.join("a")).unwrap(),
            )
        });
    }
    for (which, id, content) in tasks.join_all().await {
        let (wanted, text) = if which == 0 {
            (&first, "1")
        } else {
            (&second, "2")
        };
        assert_eq!((id.as_str(), content.as_str()), (wanted.as_str(), text));
    }
    assert_eq!(site.left(), 2);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let site = Site::new();
    site.write("a", "1");
    site.commit("One");
    for revision in ["nowhere", &"1".repeat(40)] {
        let error = site.fetch(revision).await.unwrap_err();
        assert!(
            matches!(error, GitError::Unknown { .. }) && error.to_string().contains(revision),
            "{error}"
        );
    }
    let strict = Git::new(site.path("cache"));
    let error = strict.fetch(&site.source("main")).await.unwrap_err();
    assert!(matches!(error, GitError::Folder(_)), "{error}");
    let missing = Git {
        program: "/no/such/git".into(),
        ..site.here()
    };
    let error = missing.fetch(&site.source("main")).await.unwrap_err();
    assert!(matches!(error, GitError::Missing(_)), "{error}");
    for url in [
        format!("ssh://git@127.0.0.1:{}/a.git", free_port()),
        format!("https://127.0.0.1:{}/a.git", free_port()),
        "https://no-such-host.invalid/a.git".to_owned(),
    ] {
        let source = Source {
            url: url.parse().unwrap(),
            ..site.source("main")
        };
        let error = strict.fetch(&source).await.unwrap_err();
        assert!(matches!(error, GitError::Down { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn repositories_are_read_by_ssh_with_key_and_known_host() {
    let site = Site::new();
    site.write("a", "by ssh");
    let id = site.commit("One");
    let [key, other] = ["key", "other"].map(|name| {
        let path = site.path(name);
        key_pair(&path);
        path
    });
    let host = Sshd::start(
        &site.path("host"),
        &format!("AuthorizedKeysFile {}.pub", key.display()),
    );
    let with = |key: &Path, known_hosts: String, path: PathBuf| Source {
        url: format!("ssh://{}@127.0.0.1:{}{}", me(), host.port, path.display())
            .parse()
            .unwrap(),
        access: Access::Ssh {
            private_key: fs::read_to_string(key).unwrap().into(),
            known_hosts,
        },
        ..site.source("main")
    };
    let git = Git::new(site.path("cache"));
    let origin = || site.path("origin");
    let source = with(&key, host.known(), origin());
    let commit = git.fetch(&source).await.unwrap();
    assert_eq!(commit.id.as_str(), id);
    let folder = git
        .checkout(&source, &commit.id, &site.path("projects"))
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "by ssh");

    let error = git.fetch(&with(&key, String::new(), origin())).await;
    assert!(matches!(error, Err(GitError::HostKey(_))), "{error:?}");
    let error = git.fetch(&with(&other, host.known(), origin())).await;
    assert!(matches!(error, Err(GitError::Refused { .. })), "{error:?}");
    let error = git
        .fetch(&with(&key, host.known(), site.path("none")))
        .await;
    assert!(matches!(error, Err(GitError::NotFound { .. })), "{error:?}");
    let garbled = Source {
        access: Access::Ssh {
            private_key: "hello".to_owned().into(),
            known_hosts: host.known(),
        },
        ..with(&key, host.known(), origin())
    };
    let error = git.fetch(&garbled).await;
    assert!(matches!(error, Err(GitError::Key(_))), "{error:?}");
}
