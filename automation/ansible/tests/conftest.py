"""Real hosts on loopback: one sshd each, own folder, own daemon, reached by the shipped playbooks as Slipway calls them."""

import dataclasses
import getpass
import hashlib
import io
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request
import uuid

import pytest

PROJECT = pathlib.Path(__file__).resolve().parent.parent
TESTS = PROJECT / "tests"
PLAYBOOK = pathlib.Path(os.environ.get("ANSIBLE_PLAYBOOK", pathlib.Path(sys.executable).with_name("ansible-playbook")))


def environment(folder, **more):
    """Only what ansible-playbook needs; nothing of the person who runs the tests."""
    return {
        "PATH": f"{PLAYBOOK.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        **more,
    }


@dataclasses.dataclass
class Run:
    code: int
    events: list
    output: str

    def of(self, kind, **match):
        return [e for e in self.events if e["kind"] == kind and all(e[k] == v for k, v in match.items())]

    def versions(self, kind):
        return {e["host"]: e["version"] for e in self.of(kind)}

    def messages(self, host, status="failed"):
        return [e["message"] for e in self.of("host", host=host, status=status)]


def run_playbook(arguments, env):
    """Runs ansible-playbook with a pipe for events, as Slipway's supervisor does, and returns what both channels said."""
    reading, writing = os.pipe()
    lines = []

    def collect():
        with os.fdopen(reading, "rb") as stream:
            lines.extend(stream)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        done = subprocess.run(
            [PLAYBOOK, *map(str, arguments)],
            cwd=PROJECT,
            env={**env, "SLIPWAY_EVENT_FD": str(writing)},
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
    finally:
        os.close(writing)
    collector.join(10)
    assert not collector.is_alive(), "a program started by Ansible still holds the event descriptor"
    events = [json.loads(line) for line in lines]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1)), done.stdout
    return Run(done.returncode, events, done.stdout)


@dataclasses.dataclass
class Host:
    name: str
    address: str
    port: int
    folder: pathlib.Path
    sshd: subprocess.Popen = None

    @property
    def root(self):
        return self.folder / "opt" / "checkout"

    @property
    def restart(self):
        return self.folder / "restart"

    def start(self, extra_env=""):
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress {self.address}:{self.port}\n"
            f"HostKey {self.folder / 'host_key'}\n"
            f"AuthorizedKeysFile {self.folder.parent / 'key.pub'}\n"
            f"PidFile {self.folder / 'sshd.pid'}\n"
            "UsePAM no\nStrictModes no\nMaxStartups 100:30:200\nSubsystem sftp internal-sftp\n"
            f"SetEnv HOME={self.folder} {extra_env}\n"
        )
        self.sshd = subprocess.Popen(
            [shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "sshd", "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True
        )
        for line in self.sshd.stderr:
            if line.startswith("Server listening"):
                break
        else:
            raise AssertionError(f"sshd of {self.name} did not start")
        # sshd would stop on a full pipe.
        threading.Thread(target=self.sshd.stderr.read, daemon=True).start()

    def stop(self):
        self.sshd.terminate()
        self.sshd.wait(10)
        pid = self.folder / "daemon.pid"
        if pid.exists():
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                pass

    def runs(self, port):
        """The version that really answers, asked without Ansible; None when nothing does."""
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{self.address}:{port}/health", timeout=5) as answer:
                return json.load(answer)["version"]
        except urllib.error.HTTPError as sick:
            return json.load(sick)["version"]
        except OSError:
            return None

    def link(self, name):
        return os.readlink(self.root / name)


class Fleet:
    """Hosts, artefacts and the way Slipway calls the playbooks."""

    def __init__(self, folder):
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        # Of this process alone, so that no other can take a port between its being found and its being used.
        pid = os.getpid()
        addresses = [f"127.{64 + pid // 250 % 128}.{1 + pid % 250}.{n}" for n in (1, 2, 3)]
        self.health_port, ssh_port = free_port(addresses), free_port(addresses)
        self.hosts = [Host(f"web-{n}", address, ssh_port, folder / f"web-{n}") for n, address in enumerate(addresses, 1)]
        known = []
        for host in self.hosts:
            host.folder.mkdir()
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host.folder / "host_key"], check=True)
            restart = ["/usr/bin/python3", str(TESTS / "restart.py"), str(host.folder), host.address, str(self.health_port)]
            host.restart.write_text(f'#!/bin/sh\nexec {shlex.join(restart)} "$@"\n')
            host.restart.chmod(0o755)
            known.append(f"[{host.address}]:{host.port} {(host.folder / 'host_key.pub').read_text()}")
        (folder / "known_hosts").write_text("".join(known))

    def artifact(self, version, status="ok"):
        """A release as .tar.gz, built once; returns its path and sha256."""
        path = self.artifacts / f"checkout-{version}.tar.gz"
        if not path.exists():
            with tarfile.open(path, "w:gz") as archive:
                archive.add(TESTS / "health_daemon.py", "health_daemon.py")
                for name, text in (("VERSION", version), ("STATUS", status)):
                    member = tarfile.TarInfo(name)
                    member.size = len(text)
                    archive.addfile(member, io.BytesIO(text.encode()))
        return path, hashlib.sha256(path.read_bytes()).hexdigest()

    def given(self, version, hosts=None):
        """Hosts that run a version as a deploy leaves them, without the time one takes."""
        path, sha256 = self.artifact(version)
        for host in self.hosts if hosts is None else hosts:
            release = host.root / "releases" / version
            release.mkdir(parents=True)
            with tarfile.open(path) as archive:
                archive.extractall(release, filter="data")
            (release / ".slipway-sha256").write_text(sha256 + "\n")
            (host.root / ".slipway/attempts").mkdir(parents=True, exist_ok=True)
            (host.root / "current").unlink(missing_ok=True)
            (host.root / "current").symlink_to(f"releases/{version}")
            subprocess.run([host.restart, "checkout"], env={"PATH": os.environ["PATH"], "SLIPWAY_INSTALL_ROOT": str(host.root)}, check=True)

    def run(self, playbook, *, hosts=None, host_vars=None, attempt=None, arguments=(), **variables):
        hosts = self.hosts if hosts is None else hosts
        inventory = {}
        for host in hosts:
            inventory[host.name] = {
                "ansible_host": host.address,
                "ansible_port": host.port,
                "ansible_user": getpass.getuser(),
                "ansible_python_interpreter": "/usr/bin/python3",
                "slipway_root": str(host.folder),
                "slipway_service_manager": "command",
                "slipway_restart_command": str(host.restart),
                **(host_vars or {}).get(host.name, {}),
            }
        attempt = attempt or str(uuid.uuid4())
        where = self.folder / attempt
        where.mkdir(exist_ok=True)
        (where / "inventory.json").write_text(json.dumps({"all": {"hosts": inventory}}))
        (where / "vars.json").write_text(
            json.dumps(
                {
                    "slipway_attempt_id": attempt,
                    "slipway_service": "checkout",
                    "slipway_health_port": self.health_port,
                    "slipway_health_retries": 1,
                    **variables,
                }
            )
        )
        run = run_playbook(
            ["-i", where / "inventory.json", "--extra-vars", f"@{where / 'vars.json'}", *arguments, playbook if isinstance(playbook, pathlib.Path) else f"playbooks/{playbook}.yml"],
            environment(
                self.folder,
                ANSIBLE_PRIVATE_KEY_FILE=str(self.folder / "key"),
                ANSIBLE_SSH_COMMON_ARGS=f"-o UserKnownHostsFile={self.folder / 'known_hosts'}",
                ANSIBLE_SSH_CONTROL_PATH_DIR=str(self.folder / "cp"),
                ANSIBLE_LOCAL_TEMP=str(self.folder / "tmp"),
                # A busy machine is no lost host.
                ANSIBLE_TIMEOUT="60",
            ),
        )
        # A kept connection would let a stopped host still be reached.
        for control in (self.folder / "cp").glob("*"):
            subprocess.run(["ssh", "-S", control, "-O", "exit", "host"], stderr=subprocess.DEVNULL, check=False)
        return run

    def deploy(self, version, status="ok", **more):
        path, sha256 = self.artifact(version, status)
        return self.run("deploy", **{"slipway_version": version, "slipway_artifact": str(path), "slipway_artifact_sha256": sha256, **more})

    def roll_back(self, to, **more):
        """`to`: version per host name."""
        return self.run("rollback", host_vars={name: {"slipway_rollback_to": version} for name, version in to.items()}, **more)


def tree(folder):
    """Every file with its content, every link with its target and every folder, except what a running agent and Ansible leave."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.is_socket() and not {".ansible", "__pycache__"} & set(path.relative_to(folder).parts)
    }


def free_port(addresses):
    """A port that is free on every one of the addresses."""
    for _ in range(50):
        with socket.socket() as first:
            first.bind((addresses[0], 0))
            port = first.getsockname()[1]
            try:
                for address in addresses[1:]:
                    with socket.socket() as other:
                        other.bind((address, port))
                return port
            except OSError:
                continue
    raise AssertionError("no port is free on all addresses")


@pytest.fixture
def fleet():
    """Three fresh hosts. A short folder: the path of ssh's control socket may not pass 108 bytes."""
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-", dir="/tmp"))
    fleet = Fleet(folder)
    try:
        for host in fleet.hosts:
            host.start()
        yield fleet
    finally:
        for host in fleet.hosts:
            if host.sshd:
                host.stop()
        shutil.rmtree(folder, ignore_errors=True)
