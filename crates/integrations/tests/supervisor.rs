//! Real processes under a real supervisor.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where its setting fails"
)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use integrations::{
    supervisor::{
        Exit, Found, LaunchError, Launcher, OutputRules, ProcessId, Spec, cancel, inspect, names,
        prepare,
    },
    tail::read_lines,
};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_supervise-fixture");

fn launcher() -> Launcher {
    Launcher::new(SUPERVISOR.into())
}

struct Attempt {
    keep: TempDir,
    folder: PathBuf,
}

impl Attempt {
    /// A run of `script` by `sh -c`.
    fn new(script: &str, change: impl FnOnce(&mut Spec)) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let folder = keep.path().join("attempts/one");
        let mut spec = Spec {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
            cwd: keep.path().to_owned(),
            deadline_after: Duration::from_secs(60),
            grace: Duration::from_millis(200),
            redact: Vec::new(),
            event_fd: true,
            scratch: Vec::new(),
            output: OutputRules::default(),
        };
        change(&mut spec);
        prepare(&folder, &spec).unwrap();
        Self { keep, folder }
    }

    fn launched(script: &str, change: impl FnOnce(&mut Spec)) -> Self {
        let attempt = Self::new(script, change);
        attempt.launch().unwrap();
        attempt
    }

    fn launch(&self) -> Result<(), LaunchError> {
        launcher().launch(&self.folder, || ())
    }

    fn inspect(&self) -> Found {
        inspect(&self.folder).unwrap()
    }

    fn finish(&self) -> Exit {
        until("the run to finish", || match self.inspect() {
            Found::Finished(exit) => Some(exit),
            Found::Running { .. } => None,
            other => panic!("{other:?}; {}", self.read(names::SUPERVISOR_LOG)),
        })
    }

    /// Supervisor and child once both are running.
    fn running(&self) -> (ProcessId, ProcessId) {
        until("the child to start", || match self.inspect() {
            Found::Running {
                supervisor: Some(supervisor),
                child: Some(child),
            } => Some((supervisor, child)),
            Found::Running { .. } => None,
            other => panic!("{other:?}; {}", self.read(names::SUPERVISOR_LOG)),
        })
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// The processes whose numbers the script printed, `count` of them, one a line.
    fn printed_processes(&self, count: usize) -> Vec<ProcessId> {
        until("the script to print its processes", || {
            let (lines, _) = read_lines(&self.folder.join(names::OUTPUT), 0, 1000).unwrap();
            (lines.len() == count).then(|| {
                lines
                    .iter()
                    .map(|line| {
                        ProcessId::of(Pid::from_raw(line.text.parse().unwrap()).unwrap()).unwrap()
                    })
                    .collect()
            })
        })
    }
}

/// Asks again and again; the pause only keeps the machine free for what is waited for.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited too long for {what}");
}

#[test]
fn a_run_finishes_with_its_code_and_all_its_output() {
    let attempt = Attempt::launched(
        r#"echo out; echo err >&2; echo '{"seq":1}' >&$SLIPWAY_EVENT_FD; printf '{"se' >&3; printf 'no end'; exit 7"#,
        |_| {},
    );
    let exit = attempt.finish();
    assert_eq!(
        (exit.code, exit.signal, exit.by_itself()),
        (Some(7), None, true)
    );
    assert_eq!(attempt.read(names::OUTPUT), "out\nerr\nno end\n");
    assert_eq!(attempt.read(names::EVENTS), "{\"seq\":1}\n");
    assert!(exit.output_incomplete, "half an event is a missing event");
    let mode = |name| {
        fs::metadata(attempt.folder.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        [mode(names::SPEC), mode(names::OUTPUT), mode(names::EVENTS)],
        [0o600; 3]
    );
    assert_eq!(
        fs::metadata(&attempt.folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(matches!(attempt.launch(), Err(LaunchError::BegunBefore(_))));
}

#[test]
fn the_child_gets_its_environment_and_nothing_else() {
    let attempt = Attempt::launched("env; ls -l /proc/self/fd", |spec| {
        spec.env.insert("GIVEN".to_owned(), "yes".to_owned());
    });
    assert_eq!(attempt.finish().code, Some(0));
    let output = attempt.read(names::OUTPUT);
    let mut names: Vec<_> = output
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "GIVEN",
            "PATH",
            "PWD",
            "SLIPWAY_ATTEMPT",
            "SLIPWAY_EVENT_FD"
        ]
    );
    assert!(
        !output.contains("/lock"),
        "the child holds the lock:\n{output}"
    );
}

#[test]
fn a_program_that_is_not_there_is_said_to_be() {
    let attempt = Attempt::launched("", |spec| {
        spec.argv = vec!["/no/such/ansible-playbook".to_owned()]
    });
    let exit = attempt.finish();
    assert_eq!(
        (exit.code, exit.signal, exit.by_itself()),
        (None, None, false)
    );
    assert!(
        exit.not_started
            .unwrap()
            .contains("/no/such/ansible-playbook could not be started")
    );
}

#[test]
fn secrets_are_stored_nowhere_that_is_read() {
    let attempt = Attempt::launched(
        r#"printf 'a hunt'; sleep 0.05; echo 'er2! b'; printf '{"m":"hunter2!"}\n' >&3; printf '\377\n'"#,
        |spec| spec.redact = vec!["hunter2!".to_owned()],
    );
    assert!(!attempt.finish().output_incomplete);
    assert_eq!(
        fs::read(attempt.folder.join(names::OUTPUT)).unwrap(),
        b"a *** b\n\xff\n"
    );
    assert_eq!(attempt.read(names::EVENTS), "{\"m\":\"***\"}\n");
    let spec: serde_json::Value = serde_json::from_str(&attempt.read(names::SPEC)).unwrap();
    assert_eq!(
        spec["redact"],
        serde_json::json!([]),
        "the spec forgets its secrets once they have been read"
    );
}

#[test]
fn cancelling_ends_even_what_left_the_session() {
    // Ignores the polite signal, as do the two below it, of which one is an orphan in a session of its own.
    let attempt = Attempt::launched(
        "trap '' TERM; echo $$; (setsid sh -c 'echo $$; exec sleep 1000' &); sh -c 'echo $$; exec sleep 1000'; sleep 1000",
        |_| {},
    );
    let processes = attempt.printed_processes(3);
    cancel(&attempt.folder).unwrap();
    let exit = attempt.finish();
    assert_eq!(
        (exit.cancelled, exit.timed_out, exit.signal),
        (true, false, Some(9))
    );
    assert!(processes.iter().all(|process| !process.alive()));
    cancel(&attempt.folder).unwrap();
}

#[test]
fn a_child_that_ends_when_asked_is_not_killed() {
    let attempt = Attempt::launched(
        "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
        |spec| {
            spec.grace = Duration::from_secs(60);
        },
    );
    until("the trap to be set", || {
        attempt.read(names::OUTPUT).contains("ready").then_some(())
    });
    cancel(&attempt.folder).unwrap();
    let exit = attempt.finish();
    assert_eq!(
        (exit.cancelled, exit.code, exit.by_itself()),
        (true, Some(3), false)
    );
    assert_eq!(attempt.read(names::OUTPUT), "ready\nbye\n");
}

#[test]
fn a_run_cancelled_before_it_began_does_not_begin() {
    let attempt = Attempt::new("echo never", |_| {});
    cancel(&attempt.folder).unwrap();
    attempt.launch().unwrap();
    let exit = attempt.finish();
    assert!(exit.cancelled && exit.not_started.is_some());
    assert_eq!(attempt.read(names::OUTPUT), "");
}

#[test]
fn a_supervisor_that_somebody_else_stops_says_so() {
    let attempt = Attempt::launched("sleep 1000", |_| {});
    attempt.running().0.signal(Signal::TERM);
    let exit = attempt.finish();
    assert_eq!(
        (exit.interrupted, exit.cancelled, exit.by_itself()),
        (true, false, false)
    );
}

#[test]
fn the_deadline_ends_a_run() {
    let attempt = Attempt::launched("trap '' TERM; sleep 1000; sleep 1000", |spec| {
        spec.deadline_after = Duration::from_millis(300);
    });
    let exit = attempt.finish();
    assert_eq!(
        (exit.timed_out, exit.cancelled, exit.by_itself()),
        (true, false, false)
    );
}

#[test]
fn what_a_finished_run_leaves_behind_is_ended_and_removed() {
    let keep = tempfile::tempdir().unwrap();
    let sockets = keep.path().join("sockets");
    fs::create_dir(&sockets).unwrap();
    fs::write(sockets.join("one"), "").unwrap();
    // The one left behind holds the output open: nobody waits for it.
    let attempt = Attempt::launched(
        "setsid sh -c 'trap \"\" TERM; echo $$; sleep 1000; sleep 1000' & read -r _ </dev/null; sleep 0.2",
        |spec| {
            spec.scratch = vec![sockets.clone(), keep.path().join("never-was")];
        },
    );
    let left = attempt.printed_processes(1);
    let exit = attempt.finish();
    assert_eq!((exit.code, exit.output_incomplete), (Some(0), false));
    assert!(!left[0].alive());
    assert!(!sockets.exists());
}

#[test]
fn a_server_that_starts_again_adopts_what_its_predecessor_launched() {
    let attempt = Attempt::new("echo one; read -r word < fifo; echo $word", |_| {});
    let fifo = attempt.keep.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let launcher = Command::new(SUPERVISOR)
        .arg("launch")
        .arg(&attempt.folder)
        .status()
        .unwrap();
    assert!(launcher.success());

    let (supervisor, child) = attempt.running();
    assert!(supervisor.alive() && child.alive());
    assert!(
        matches!(attempt.launch(), Err(LaunchError::BegunBefore(_))),
        "no second launch"
    );
    let output = attempt.folder.join(names::OUTPUT);
    let (_, next) = until("the first line", || {
        Some(read_lines(&output, 0, 100).unwrap()).filter(|read| read.1 > 0)
    });

    fs::write(fifo, "two\n").unwrap();
    assert_eq!(attempt.finish().code, Some(0));
    assert_eq!(
        read_lines(&output, next, 100).unwrap().0[0].text,
        "two",
        "goes on where it stopped"
    );
}

#[test]
fn a_run_whose_supervisor_was_killed_is_lost_and_ended() {
    let attempt = Attempt::launched(
        "echo $$; (setsid sh -c 'echo $$; exec sleep 1000' &); sh -c 'echo $$; exec sleep 1000'; sleep 1000",
        |_| {},
    );
    let processes = attempt.printed_processes(3);
    let (supervisor, _) = attempt.running();
    supervisor.signal(Signal::KILL);
    until("the supervisor to be gone", || {
        (!supervisor.alive()).then_some(())
    });
    assert!(
        processes.iter().all(|process| process.alive()),
        "they outlive the supervisor"
    );

    // Would never be, had the children inherited the lock.
    until("the run to be lost", || {
        (attempt.inspect() == Found::Lost).then_some(())
    });
    assert!(processes.iter().all(|process| !process.alive()));
    assert_eq!(attempt.inspect(), Found::Lost, "the same answer again");
    assert!(matches!(attempt.launch(), Err(LaunchError::BegunBefore(_))));
}

#[test]
fn a_run_that_never_began_may_be_launched_again() {
    let attempt = Attempt::new("echo hello", |_| {});
    assert_eq!(attempt.inspect(), Found::NeverBegan);
    let nowhere = Launcher::new("/no/such/slipway".into());
    assert!(nowhere.launch(&attempt.folder, || ()).is_err());
    assert_eq!(attempt.inspect(), Found::NeverBegan);
    // A supervisor that ends before it begins.
    let spec = attempt.folder.join(names::SPEC);
    let aside = attempt.keep.path().join("aside");
    fs::rename(&spec, &aside).unwrap();
    let (ended, end) = std::sync::mpsc::channel();
    let ended = move || ended.send(()).unwrap();
    launcher().launch(&attempt.folder, ended).unwrap();
    end.recv().unwrap();
    assert!(attempt.read(names::SUPERVISOR_LOG).contains("not prepared"));
    // A process that another test started meanwhile has a copy of the lock that was passed on until it becomes its program.
    until("the run to be found never begun", || {
        (attempt.inspect() == Found::NeverBegan).then_some(())
    });
    fs::rename(&aside, &spec).unwrap();
    attempt.launch().unwrap();
    assert_eq!(attempt.finish().code, Some(0));
    assert_eq!(attempt.read(names::OUTPUT), "hello\n");
}

#[test]
fn only_one_supervisor_at_a_time() {
    let attempt = Attempt::new("true", |_| {});
    let held = fs::File::create(attempt.folder.join(names::LOCK)).unwrap();
    held.lock().unwrap();
    assert!(matches!(attempt.launch(), Err(LaunchError::Running(_))));
    assert_eq!(
        attempt.inspect(),
        Found::Running {
            supervisor: None,
            child: None
        }
    );
}

#[test]
fn a_folder_that_is_gone_is_lost() {
    let attempt = Attempt::new("true", |_| {});
    fs::remove_dir_all(&attempt.folder).unwrap();
    assert_eq!(attempt.inspect(), Found::Lost);
}

#[test]
fn a_full_disk_does_not_stop_the_run_and_is_recorded() {
    let attempt = Attempt::new("echo one; echo '{}' >&3; echo two; exit 0", |_| {});
    symlink("/dev/full", attempt.folder.join(names::OUTPUT)).unwrap();
    attempt.launch().unwrap();
    let exit = attempt.finish();
    assert_eq!((exit.code, exit.output_incomplete), (Some(0), true));
    assert_eq!(attempt.read(names::EVENTS), "{}\n");
}

#[test]
fn a_broken_record_is_reported_not_guessed_at() {
    let attempt = Attempt::new("true", |_| {});
    fs::write(attempt.folder.join(names::EXIT), "{").unwrap();
    assert!(
        inspect(&attempt.folder)
            .unwrap_err()
            .to_string()
            .contains("exit.json could not be read")
    );
}

#[test]
fn it_can_be_launched_from_many_threads_at_once() {
    let (done, finished) = mpsc::channel();
    for number in 0..8 {
        let done = done.clone();
        thread::spawn(move || {
            let attempt = Attempt::launched(&format!("exit {number}"), |_| {});
            done.send((number, attempt.finish().code)).unwrap();
        });
    }
    for _ in 0..8 {
        let (number, code) = finished.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(code, Some(number));
    }
}

#[test]
fn a_supervisor_started_by_hand_does_nothing() {
    let attempt = Attempt::new("echo no", |_| {});
    let output = Command::new(SUPERVISOR).arg("supervise").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("not by hand"), "{said}");
    assert_eq!(attempt.inspect(), Found::NeverBegan);
}

/// Whoever runs `program`.
fn running(program: &Path) -> Vec<ProcessId> {
    let own = ProcessId::of(rustix::process::getpid()).unwrap();
    let runs = |process: &ProcessId| {
        let exe = fs::read_link(format!("/proc/{}/exe", process.pid));
        exe.is_ok_and(|exe| exe == program)
    };
    own.descendants().into_iter().filter(runs).collect()
}

/// A launcher that has a supervisor ready, which nobody else runs.
fn ready(keep: &TempDir) -> (Launcher, ProcessId) {
    let program = keep.path().canonicalize().unwrap().join("supervisor");
    fs::copy(SUPERVISOR, &program).unwrap();
    let launcher = Launcher::new(program.clone());
    // As long as a process that another test is starting holds a copy of the file that was written, nobody can run it.
    let ready = until("one to be ready", || {
        launcher.make_ready();
        running(&program).first().copied()
    });
    launcher.make_ready();
    assert_eq!(running(&program), [ready], "one is enough");
    (launcher, ready)
}

#[test]
fn the_one_that_is_ready_runs_what_is_launched_next() {
    let attempt = Attempt::new("exit 3", |_| {});
    let (launcher, ready) = ready(&attempt.keep);
    assert_eq!(attempt.inspect(), Found::NeverBegan);
    launcher.launch(&attempt.folder, || ()).unwrap();
    assert_eq!(attempt.finish().code, Some(3));
    let begun: serde_json::Value = serde_json::from_str(&attempt.read(names::BEGUN)).unwrap();
    assert_eq!(begun["supervisor"], serde_json::to_value(ready).unwrap());
}

#[test]
fn one_that_was_ready_and_is_gone_is_no_obstacle() {
    let attempt = Attempt::new("exit 4", |_| {});
    let (launcher, ready) = ready(&attempt.keep);
    ready.signal(Signal::KILL);
    until("it to be gone", || (!ready.alive()).then_some(()));
    launcher.launch(&attempt.folder, || ()).unwrap();
    assert_eq!(attempt.finish().code, Some(4));
}

#[test]
fn one_that_is_ready_takes_no_signal_into_its_run() {
    let attempt = Attempt::new("exit 5", |_| {});
    let (launcher, ready) = ready(&attempt.keep);
    ready.signal(Signal::TERM);
    until("it to be gone", || (!ready.alive()).then_some(()));
    launcher.make_ready();
    launcher.launch(&attempt.folder, || ()).unwrap();
    let exit = attempt.finish();
    assert_eq!((exit.code, exit.by_itself()), (Some(5), true));
}

#[test]
fn what_waits_for_a_run_ends_with_whoever_would_tell() {
    let keep = tempfile::tempdir().unwrap();
    let (launcher, ready) = ready(&keep);
    drop(launcher);
    until("it to end", || (!ready.alive()).then_some(()));
}
