//! Real sshds on loopback, and the keys they believe.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses another part of this"
)]

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

pub struct Sshd {
    process: Child,
    pub port: u16,
    pub public_key: String,
    log: PathBuf,
}

impl Sshd {
    /// Starts one in `folder` that believes whom `settings` say.
    pub fn start(folder: &Path, settings: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        if rustix::process::getuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let key = folder.join("host_key");
        let public_key = key_pair(&key);
        let (config, log) = (folder.join("sshd_config"), folder.join("log"));
        // sshd takes the first of several such lines, and only that one.
        let (env, settings): (Vec<&str>, Vec<&str>) = settings
            .lines()
            .partition(|line| line.starts_with("SetEnv "));
        let env: String = env.iter().map(|line| &line["SetEnv".len()..]).collect();
        let settings = settings.join("\n");
        // A port that is free now may be taken before sshd has it.
        for _ in 0..5 {
            let port = free_port();
            fs::write(
                &config,
                format!(
                    "ListenAddress 127.0.0.1:{port}\nHostKey {}\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel DEBUG1\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nSetEnv HOME={}{env}\n{settings}\n",
                    key.display(),
                    folder.display()
                ),
            )
            .unwrap();
            let mut process = Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f"])
                .arg(&config)
                .stdin(Stdio::null())
                .stderr(fs::File::create(&log).unwrap())
                .spawn()
                .unwrap();
            for _ in 0..1000 {
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return Self {
                        process,
                        port,
                        public_key,
                        log,
                    };
                }
                thread::sleep(Duration::from_millis(10));
            }
            process.kill().unwrap();
            process.wait().unwrap();
        }
        panic!("sshd: {}", fs::read_to_string(log).unwrap());
    }

    /// The line of a `known_hosts` file.
    pub fn known(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.public_key)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Its sessions end by themselves with the connections.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Makes a key pair and returns kind and key of the public one.
pub fn key_pair(path: &Path) -> String {
    keygen(&[
        "-t",
        "ed25519",
        "-N",
        "",
        "-C",
        "",
        "-f",
        path.to_str().unwrap(),
    ]);
    fs::read_to_string(path.with_extension("pub"))
        .unwrap()
        .trim()
        .to_owned()
}

pub fn keygen(args: &[&str]) {
    let done = Command::new("ssh-keygen")
        .arg("-q")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// Who runs this; nobody else can sign in at an sshd of ours.
pub fn me() -> String {
    let out = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}
