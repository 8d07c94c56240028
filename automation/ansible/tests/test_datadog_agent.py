"""The playbooks for the Datadog agent against real hosts, with a stand-in for the agent: what runs there afterwards decides."""

import hashlib
import http.server
import importlib.util
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import uuid

import pytest
import yaml
from conftest import PLAYBOOK, PROJECT, TESTS, environment, tree

ROLE = PROJECT / "roles" / "datadog_agent"
KEY, APP_KEY, PASSWORD = "0123456789abcdef0123456789abcdef", "app-key-89abcdef0123456789abcdef", "db-password-hunter2"
STAND_IN = (TESTS / "datadog_agent.py").read_text()
RULE = {"type": "mask_sequences", "name": "cards", "pattern": r"\b\d{13,16}\b", "replace_placeholder": "[card]"}
POSTGRES = {"postgres": {"instances": [{"host": "localhost", "password": PASSWORD}]}}



def load(name):
    spec = importlib.util.spec_from_file_location(f"filters_{name}", ROLE / "filter_plugins" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


filters, previews = load("datadog"), load("preview")


class Agents:
    """The fleet with an agent on each host, started and stopped by commands of the host."""

    def __init__(self, fleet):
        self.fleet = fleet
        for host in fleet.hosts:
            for action in ("start", "stop"):
                script = host.folder / f"agent-{action}"
                command = ["/usr/bin/python3", str(TESTS / "agent_service.py"), action, str(host.folder)]
                script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
                script.chmod(0o755)

    def end(self):
        for pid in (*self.fleet.folder.glob("*/agent.pid"), *self.fleet.folder.glob("*/run/datadog-agent.pid")):
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                pass

    def program(self, version):
        return STAND_IN.replace('"@VERSION@"', f'"{version}"')

    def tarball(self, version, says=None):
        """The agent as .tar.gz; `says` is the version it tells when it is not the one of its name."""
        path = self.fleet.artifacts / f"datadog-agent-{version}.tar.gz"
        if not path.exists():
            subprocess.run(["/usr/bin/python3", TESTS / "datadog_agent.py", "tarball", says or version, path], check=True, stdout=subprocess.DEVNULL)
        return path

    def deb(self, version, name="datadog-agent"):
        path = self.fleet.artifacts / f"{name}_{version}-1_all.deb"
        if not path.exists():
            tree = self.fleet.folder / "tree" / path.stem
            (tree / "usr/bin").mkdir(parents=True)
            (tree / "DEBIAN").mkdir()
            (tree / "usr/bin/datadog-agent").write_text(self.program(version))
            (tree / "usr/bin/datadog-agent").chmod(0o755)
            (tree / "DEBIAN/control").write_text(
                f"Package: {name}\nVersion: 1:{version}-1\nArchitecture: all\nMaintainer: tests\nDescription: stands in for the agent\n"
            )
            subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, path], check=True, stdout=subprocess.DEVNULL)
        return path

    def step(self, host, step, *arguments, attempt=None):
        """One step of the role's script on a host, without a playbook around it."""
        script = (PROJECT / "roles/release/files/facts.sh").read_text() + (ROLE / "files/agent.sh").read_text()
        root = f"{host.folder}/opt/slipway-datadog"
        settings = {"SLIPWAY_ROOT": str(host.folder), "SLIPWAY_CONFIG": str(etc(host)), "SLIPWAY_PROGRAM": "bin/datadog-agent", "SLIPWAY_OWNER": "dd-agent"}
        return subprocess.run(
            ["sh", "-s", "--", step, root, attempt or uid(), *map(str, arguments)],
            input=script, env={"PATH": "/usr/bin:/bin", **settings}, capture_output=True, text=True, check=False,
        )

    def given(self, version, artifact=None, hosts=None, rollout=None, checks=()):
        """Hosts that run a version as a deploy leaves them, without the time one takes: the same steps by the same script."""
        artifact = artifact or self.tarball(version)
        kind = "deb" if artifact.suffix == ".deb" else "tarball"
        sha256 = hashlib.sha256(artifact.read_bytes()).hexdigest()
        rollout = rollout or uid()
        for host in hosts or self.fleet.hosts[:1]:
            attempt = uid()
            mine = books(host) / "attempts" / attempt

            def done(*step):
                said = self.step(host, *step, attempt=attempt)
                assert said.returncode == 0, said.stderr

            done("claim", "deploy", kind, version, rollout, *checks)
            (mine / "config/datadog.yaml").write_text(f'# Written by Slipway: given\napi_key: "{KEY}"\nsite: "datadoghq.com"\ntags: []\n')
            for name, check in dict(checks).items():
                (mine / f"config/conf.d/{name}.d/conf.yaml").write_text(f"# Written by Slipway: given\n{yaml.safe_dump(check)}")
            shutil.copy(artifact, mine / "artifact")
            done("keep", kind, version, sha256, artifact.name)
            done("install", rollout, kind, version, sha256)
            done("configure")
            subprocess.run([host.folder / "agent-start", "datadog-agent"], check=True)
            done("finish", 5)
            assert runs(host) == version

    def run(self, playbook, *, hosts=None, host_vars=None, **variables):
        hosts = self.fleet.hosts[:1] if hosts is None else hosts
        commands = {
            host.name: {
                "slipway_restart_command": str(host.folder / "agent-start"),
                "slipway_stop_command": str(host.folder / "agent-stop"),
                **(host_vars or {}).get(host.name, {}),
            }
            for host in hosts
        }
        given = {"slipway_rollout_id": str(uuid.uuid4()), "datadog_api_key": KEY, "slipway_health_delay": 0}
        playbook = playbook if isinstance(playbook, pathlib.Path) else f"{playbook}-datadog"
        return self.fleet.run(playbook, hosts=hosts, host_vars=commands, **{**given, **variables})

    def deploy(self, version, artifact=None, **variables):
        artifact = artifact or self.tarball(version)
        return self.run(
            "deploy",
            **{
                "slipway_version": version,
                "datadog_source": "artifact",
                "slipway_artifact": str(artifact),
                "slipway_artifact_sha256": hashlib.sha256(artifact.read_bytes()).hexdigest(),
                **variables,
            },
        )

    def roll_back(self, rollout, **variables):
        return self.run("rollback", slipway_rollout_id=rollout, **variables)


@pytest.fixture
def agents(fleet):
    agents = Agents(fleet)
    try:
        yield agents
    finally:
        agents.end()


def etc(host):
    return host.folder / "etc/datadog-agent"


def books(host):
    return host.folder / "opt/slipway-datadog/.slipway"


def answer(host):
    """What the process that runs was started with, asked without the role; None when none runs."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(etc(host) / "agent.sock"))
            with client.makefile() as said:
                return json.load(said)
    except OSError:
        return None


def runs(host):
    said = answer(host)
    return said and said["version"]


def files(folder):
    """What `tree` finds but folders, which may stay when they are empty."""
    return {name: content for name, content in tree(folder).items() if content is not None}


def installed_tree(host):
    """What is installed and how it is configured: everything but Slipway's own books."""
    found = {**files(etc(host)), **{f"usr/{name}": content for name, content in files(host.folder / "usr").items()}}
    current = host.folder / "opt/slipway-datadog/current"
    return {**found, "current": os.readlink(current) if current.is_symlink() else None}


def uid():
    return str(uuid.uuid4())


def test_install_upgrade_and_rollback_bring_version_and_configuration_back(agents):
    hosts = agents.fleet.hosts[:2]
    names = [host.name for host in hosts]
    first = agents.deploy("7.50.1", hosts=hosts, datadog_tags=["team:payments"], datadog_checks=POSTGRES)
    assert first.code == 0, first.output
    assert first.versions("before") == dict.fromkeys(names, "absent")
    assert first.versions("observed") == dict.fromkeys(names, "7.50.1")
    assert sorted(event["host"] for event in first.of("facts")) == names and first.of("facts")[0]["facts"]["kernel"] == os.uname().release
    before = {}
    for host in hosts:
        assert runs(host) == "7.50.1"
        written = yaml.safe_load((etc(host) / "datadog.yaml").read_text())
        assert written["api_key"] == KEY and written["hostname"] == host.name and written["tags"] == ["team:payments"]
        assert (etc(host) / "datadog.yaml").stat().st_mode & 0o777 == 0o640
        assert books(host).stat().st_mode & 0o777 == 0o700
        # Somebody else's check is nobody's business.
        (etc(host) / "conf.d/theirs.d").mkdir()
        (etc(host) / "conf.d/theirs.d/conf.yaml").write_text("instances: [{}]\n")
        before[host.name] = installed_tree(host)

    rollout = uid()
    upgrade = agents.deploy(
        "7.51.0", hosts=hosts, slipway_rollout_id=rollout, datadog_env="production", datadog_logs=True, datadog_apm=True,
        datadog_processes=True, datadog_log_processing_rules=[RULE], datadog_checks={"nginx": {"instances": [{"url": "http://127.0.0.1/é"}]}},
    )
    assert upgrade.code == 0, upgrade.output
    assert upgrade.versions("before") == dict.fromkeys(names, "7.50.1")
    written = yaml.safe_load((etc(hosts[0]) / "datadog.yaml").read_text())
    assert written["logs_config"]["processing_rules"] == [RULE]
    assert written["env"] == "production" and written["logs_enabled"] and written["apm_config"]["enabled"]
    assert written["process_config"]["process_collection"]["enabled"]
    assert set(answer(hosts[0])["checks"]) == {"nginx", "theirs"}
    assert yaml.safe_load((etc(hosts[0]) / "conf.d/nginx.d/conf.yaml").read_text()) == {"instances": [{"url": "http://127.0.0.1/é"}]}

    back = agents.roll_back(rollout, hosts=hosts, host_vars={name: {"slipway_rollback_to": "7.50.1"} for name in names})
    assert back.code == 0, back.output
    assert back.versions("observed") == dict.fromkeys(names, "7.50.1")
    for host in hosts:
        assert runs(host) == "7.50.1"
        assert set(answer(host)["checks"]) == {"postgres", "theirs"}
        assert installed_tree(host) == before[host.name]

    again = agents.roll_back(rollout, hosts=hosts)
    assert again.code == 0, again.output
    assert {event["host"] for event in again.of("already_current")} == set(names)
    assert {event["task"] for event in again.of("host", status="changed")} == {"Take the attempt"}


def test_what_runs_already_is_left_alone_and_a_new_configuration_is_not(agents):
    host = agents.fleet.hosts[0]
    assert agents.deploy("7.50.1", datadog_checks=POSTGRES).code == 0
    pid = (host.folder / "agent.pid").read_text()
    again = agents.deploy("7.50.1", datadog_checks=POSTGRES)
    assert again.code == 0 and again.of("already_current"), again.output
    assert {event["task"] for event in again.of("host", status="changed")} == {"Take the attempt"}
    assert (host.folder / "agent.pid").read_text() == pid
    # Files alone prove nothing: an attempt that was killed before the restart is gone on with.
    (books(host) / "unfinished").write_text(uid())
    resumed = agents.deploy("7.50.1", datadog_checks=POSTGRES)
    assert resumed.code == 0 and not resumed.of("already_current")
    assert (host.folder / "agent.pid").read_text() != pid
    changed = agents.deploy("7.50.1", datadog_checks=POSTGRES, datadog_tags=["a:b"])
    assert changed.code == 0 and not changed.of("already_current")
    assert answer(host)["settings"]["tags"] == ["a:b"]


def test_rolling_back_a_first_installation_removes_the_agent(agents):
    host = agents.fleet.hosts[0]
    rollout = uid()
    agents.given("7.50.1", rollout=rollout)
    back = agents.roll_back(rollout)
    assert back.code == 0, back.output
    assert runs(host) is None and not (etc(host) / "datadog.yaml").exists()
    assert not (host.folder / "opt/slipway-datadog/current").exists()
    assert agents.roll_back(rollout).of("already_current")


def test_a_debian_package_is_installed_upgraded_taken_back_and_removed(agents):
    host = agents.fleet.hosts[0]
    agents.given("7.50.1", agents.deb("7.50.1"))
    before = installed_tree(host)
    rollout = uid()
    upgrade = agents.deploy("7.51.0", agents.deb("7.51.0"), slipway_rollout_id=rollout, datadog_tags=["a:b"])
    assert upgrade.code == 0, upgrade.output
    assert runs(host) == "7.51.0"
    mixed = agents.deploy("7.51.0")
    assert "installed as a deb, not as a tarball" in mixed.messages(host.name)[0]
    back = agents.roll_back(rollout)
    assert back.code == 0, back.output
    assert runs(host) == "7.50.1" and installed_tree(host) == before

    rollout = uid()
    removed = agents.run("remove", slipway_rollout_id=rollout)
    assert removed.code == 0, removed.output
    assert runs(host) is None and not (host.folder / "usr/bin/datadog-agent").exists()
    assert (etc(host) / "datadog.yaml").exists(), "configuration goes only when told"
    returned = agents.roll_back(rollout)
    assert returned.code == 0, returned.output
    assert runs(host) == "7.50.1" and installed_tree(host) == before


def test_removing_with_the_configuration_leaves_no_key_behind(agents):
    host = agents.fleet.hosts[0]
    agents.given("7.50.1", checks=POSTGRES)
    agents.given("7.51.0", checks=POSTGRES)
    assert any(KEY.encode() in (content or b"") for content in tree(books(host)).values())
    removed = agents.run("remove", datadog_remove_configuration=True)
    assert removed.code == 0, removed.output
    assert runs(host) is None and not etc(host).exists()
    assert not [name for name, content in tree(host.folder).items() if KEY.encode() in (content if isinstance(content, bytes) else b"")]
    assert agents.run("remove").code == 0, "what is gone can be removed"


@pytest.mark.parametrize("kind", ["tarball", "deb"])
def test_a_wrong_checksum_or_version_changes_nothing(agents, kind):
    host = agents.fleet.hosts[0]
    build = getattr(agents, kind)
    agents.given("7.50.1", build("7.50.1"))
    before, pid = installed_tree(host), (host.folder / "agent.pid").read_text()
    artifact = build("7.51.0")
    found = hashlib.sha256(artifact.read_bytes()).hexdigest()
    refused = (
        (lambda: agents.deploy("7.52.0", artifact), ["is not Datadog agent 7.52.0: it says 7.51.0"]),
        (lambda: agents.deploy("7.51.0", artifact, slipway_artifact_sha256="0" * 64), ["0" * 64, found, "Nothing was changed"]),
        (lambda: agents.deploy("7.50.1", artifact), ["came from another artefact", "Give changed content a new version"]),
    )
    # The kinds differ in how the version inside is found.
    for deploy, parts in refused[: 3 if kind == "tarball" else 1]:
        run = deploy()
        assert run.code != 0
        assert all(part in run.messages(host.name)[0] for part in parts), run.messages(host.name)
    assert installed_tree(host) == before and (host.folder / "agent.pid").read_text() == pid
    kept = host.folder / "opt/slipway-datadog" / ("releases" if kind == "tarball" else "packages")
    assert not [path for path in kept.rglob("*") if "7.5" in path.name and "7.50.1" not in path.name]


@pytest.mark.parametrize(
    ("broken", "failed"),
    [
        ({"datadog_tags": ["start:never"]}, "Run the restart command"),
        ({"datadog_checks": {"nginx": {"instances": [{"broken": True, "password": PASSWORD}]}}}, "Let the agent check its configuration"),
    ],
    ids=["does-not-start", "configcheck"],
)
def test_a_broken_configuration_is_restored(agents, broken, failed):
    host = agents.fleet.hosts[0]
    fresh = agents.deploy("7.50.1", **broken)
    assert fresh.code != 0
    assert "There was no configuration before the rollout" in fresh.messages(host.name)[-1]
    assert runs(host) is None and not (etc(host) / "datadog.yaml").exists()

    agents.given("7.50.1", checks=POSTGRES)
    before, rollout = files(etc(host)), uid()
    for _ in range(2 if "Run" in failed else 1):  # the second try finds what the first one left, and still knows what was before
        run = agents.deploy("7.51.0", slipway_rollout_id=rollout, **broken)
        assert run.code != 0
        message = run.messages(host.name)[-1]
        assert f'"{failed}" failed' in message and "The configuration from before the rollout was put back" in message
        assert run.versions("observed") == {host.name: "7.51.0"}
        assert files(etc(host)) == before and runs(host) == "7.51.0"
        assert PASSWORD not in run.output + json.dumps(run.events)
    assert agents.roll_back(rollout).code == 0
    assert files(etc(host)) == before and runs(host) == "7.50.1"


def test_a_host_takes_no_attempt_twice_and_rollouts_are_taken_back_in_turn(agents):
    host = agents.fleet.hosts[0]
    attempt, first, second, late = uid(), uid(), uid(), uid()
    agents.given("7.50.1", rollout=first)
    # A note of an attempt that changed nothing is not of what was here before the next attempt of the same rollout.
    assert agents.deploy("7.52.0", attempt=attempt, slipway_rollout_id=late, slipway_artifact_sha256="0" * 64).code != 0
    twice = agents.deploy("7.51.0", attempt=attempt)
    assert f"already taken attempt {attempt}" in twice.messages(host.name)[0]
    assert runs(host) == "7.50.1"
    agents.given("7.51.0", rollout=second)
    agents.given("7.52.0", rollout=late)
    assert agents.roll_back(late).code == 0 and runs(host) == "7.51.0"
    for rollout, version, part in (
        (first, "", f"A later rollout, {second}"),
        (uid(), "", "has no note of rollout"),
        (second, "7.49.0", "this host had 7.50.1, not 7.49.0"),
    ):
        for step in ("look", "claim"):
            said = agents.step(host, step, "rollback", "-", version, rollout)
            assert said.returncode == 1 and part in said.stderr
    refused = agents.roll_back(second, host_vars={host.name: {"slipway_rollback_to": "7.49.0"}})
    assert "this host had 7.50.1, not 7.49.0" in refused.messages(host.name)[0]
    assert runs(host) == "7.51.0"
    assert agents.roll_back(second).code == 0 and runs(host) == "7.50.1"
    assert agents.roll_back(first).code == 0 and runs(host) is None


def test_a_rollout_that_was_killed_half_way_is_taken_back(agents):
    host = agents.fleet.hosts[0]
    agents.given("7.50.1", checks=POSTGRES)
    before, rollout = installed_tree(host), uid()
    # As if killed after the switch of the version and in the middle of the configuration.
    dead = host.folder / "agent-start"
    alive = dead.read_text()
    dead.write_text("#!/bin/sh\nkill -9 $PPID\n")
    assert agents.deploy("7.51.0", slipway_rollout_id=rollout, datadog_checks={}).code != 0
    dead.write_text(alive)
    (etc(host) / "datadog.yaml").write_text("half")
    (books(host) / "unfinished").write_text(uid())
    back = agents.roll_back(rollout)
    assert back.code == 0, back.output
    assert installed_tree(host) == before and runs(host) == "7.50.1"
    assert not (books(host) / "unfinished").exists()


def test_links_are_not_written_through(agents):
    host = agents.fleet.hosts[0]
    agents.given("7.50.1")
    outside = host.folder / "outside"
    outside.mkdir()
    for place, target in (("conf.d/nginx.d", outside), ("datadog.yaml", host.folder / "host_key")):
        path = etc(host) / place
        if path.exists():
            path.unlink()
        path.symlink_to(target)
        run = agents.deploy("7.51.0", datadog_checks={"nginx": {"instances": [{}]}})
        assert "is a symbolic link" in run.messages(host.name)[0], run.output
        path.unlink()
        assert not list(outside.iterdir()) and runs(host) == "7.50.1"


def test_what_slipway_could_not_bring_back_is_not_replaced(agents):
    host = agents.fleet.hosts[0]
    program = host.folder / "usr/bin/datadog-agent"
    program.parent.mkdir(parents=True)
    program.write_text(agents.program("7.49.0"))
    for step in ("look", "claim"):
        assert "no package owns" in agents.step(host, step, "deploy", "tarball", "7.50.1", uid()).stderr
    program.unlink()
    # A package that somebody else installed, and that no repository of the host offers.
    agents.given("7.49.0", agents.deb("7.49.0"))
    shutil.rmtree(host.folder / "opt/slipway-datadog")
    refused = agents.deploy("7.50.1", agents.deb("7.50.1"))
    assert "Roll out 7.49.0 here first" in refused.messages(host.name)[0]
    assert runs(host) == "7.49.0"
    adopted = agents.deploy("7.49.0", agents.deb("7.49.0"))
    assert adopted.code == 0, adopted.output
    agents.given("7.50.1", agents.deb("7.50.1"))


def test_probe_changes_nothing(agents):
    fine, silent, gone = agents.fleet.hosts
    hosts = [fine, silent, gone]
    agents.given("7.50.1", hosts=hosts[:2])
    subprocess.run([silent.folder / "agent-stop", "datadog-agent"], check=True)
    before = {host.name: tree(host.folder) for host in hosts}
    for arguments in ([], ["--check"]):
        probe = agents.run("probe", hosts=hosts, arguments=arguments)
        assert probe.code != 0
        assert probe.versions("observed") == {fine.name: "7.50.1", gone.name: "absent"}
        assert not probe.messages(fine.name) and not probe.messages(gone.name)
        assert 'no agent answers "status"' in probe.messages(silent.name)[0]
        assert not probe.of("host", status="changed")
    assert {host.name: tree(host.folder) for host in hosts} == before


def test_a_dry_run_tells_what_would_change_but_no_secret_and_changes_nothing(agents):
    host, fresh, foreign = agents.fleet.hosts
    rollout = uid()
    agents.given("7.50.1", hosts=[host, foreign], checks={"redis": {"instances": [{"port": 637900637900}]}})
    agents.given("7.50.2", hosts=[host], rollout=rollout, checks={"postgres": {"instances": [{"host": "localhost", "password": "old-" + PASSWORD}]}})
    (etc(host) / "conf.d/theirs.d").mkdir()
    (etc(host) / "conf.d/theirs.d/conf.yaml").write_text("instances: [{}]\n")
    shutil.rmtree(foreign.folder / "opt/slipway-datadog/releases/7.50.1")
    (foreign.folder / "opt/slipway-datadog/releases/7.50.0").mkdir()
    before = {one.name: tree(one.folder) for one in agents.fleet.hosts}
    dry = ["--check", "--diff", "-vvv"]

    plan = agents.deploy("7.51.0", hosts=[host, fresh, foreign], arguments=dry, datadog_checks=POSTGRES, datadog_tags=["team:payments"])
    shown = {(event["host"], event["task"]): set(event["diff"].splitlines()) for event in plan.of("host", status="changed")}
    assert {name for name, _ in shown} == {host.name, fresh.name}
    version, configuration = "Show what would change", "Show how the configuration would change"
    assert {"-agent: 7.50.2 (tarball)", "-runs: 7.50.2", "+runs: 7.51.0, restarted"} <= shown[host.name, version]
    assert {"-agent: none", "+runs: 7.51.0, restarted"} <= shown[fresh.name, version]
    assert {"-  tags: []", '+  tags: ["team:payments"]', "-  instances[0].password: (hidden)", "+  instances[0].password: (hidden, another value)"} <= shown[host.name, configuration]
    assert {"+  api_key: (hidden)", '+  site: "datadoghq.com"'} <= shown[fresh.name, configuration]
    assert "could not be taken back to it" in plan.messages(foreign.name)[0]

    back = agents.roll_back(rollout, hosts=[host], arguments=dry)
    removed = agents.run("remove", hosts=[host], arguments=dry, datadog_remove_configuration=True)
    for run, task, lines in (
        (back, version, {"-runs: 7.50.2", "+runs: 7.50.1, restarted"}),
        (back, configuration, {"-conf.d/postgres.d/conf.yaml", "+conf.d/redis.d/conf.yaml", "+  instances[0].port: (hidden)"}),
        (removed, version, {"-agent: 7.50.2 (tarball)", "+agent: none"}),
        (removed, configuration, {"-datadog.yaml", "-  api_key: (hidden)"}),
    ):
        assert run.code == 0, run.output
        (diff,) = [event["diff"] for event in run.of("host", status="changed", task=task)]
        assert lines <= set(diff.splitlines()), diff
    for run in (plan, back, removed):
        for word in (KEY, PASSWORD, "637900637900"):
            assert word not in run.output and word not in json.dumps(run.events)
    assert {one.name: tree(one.folder) for one in agents.fleet.hosts} == before


def test_a_configuration_is_shown_without_what_may_be_secret():
    strange = "api_key: 1\nproxy: {https: 'http://me:hunter2@proxy'}\nadditional: [hunter2, {a: true}]\nsite: x\n"
    now = {"datadog.yaml": previews.read(strange), "conf.d/a.d/conf.yaml": previews.read("\tno: yaml")}
    then = {"datadog.yaml": previews.read("# Written by Slipway: x\napi_key: 2\nsite: y\n")}
    assert previews.shown(now, then) == [
        "conf.d/a.d/conf.yaml\n  file: (not written by Slipway)\ndatadog.yaml\n  file: (not written by Slipway)\n  api_key: (hidden)\n"
        '  proxy.https: (hidden)\n  additional[0]: (hidden)\n  additional[1].a: true\n  site: "x"\n',
        'datadog.yaml\n  api_key: (hidden, another value)\n  site: "y"\n',
    ]


def test_the_key_is_told_nowhere(agents):
    host = agents.fleet.hosts[0]
    secret = agents.fleet.folder / "secret"
    secret.write_text(KEY + "\n")
    secret.chmod(0o600)
    loud = ["-vvv", "--diff"]
    keys = {"datadog_api_key": "", "datadog_api_key_file": str(secret), "datadog_checks": POSTGRES, "arguments": loud}
    rollout = uid()
    told = [
        agents.deploy("7.50.1", **keys),
        agents.deploy("7.51.0", slipway_rollout_id=rollout, **{**keys, "datadog_tags": ["start:never"]}),
        agents.roll_back(rollout, arguments=loud),
        agents.run("probe", arguments=loud),
        agents.run("remove", arguments=loud),
    ]
    assert [run.code == 0 for run in told] == [True, False, True, True, True]
    for run in told:
        for word in (KEY, PASSWORD):
            assert word not in run.output and word not in json.dumps(run.events)
    where_it_belongs = re.compile(r"\Aopt/slipway-datadog/\.slipway/rollouts/|\Aetc/datadog-agent/")
    stray = [name for name, content in tree(host.folder).items() if isinstance(content, bytes) and KEY.encode() in content and not where_it_belongs.match(name)]
    assert stray == []
    secret.chmod(0o644)
    assert "chmod 600" in agents.deploy("7.50.1", **keys).messages(host.name)[0]


def test_metrics_are_waited_for_with_keys_from_files(agents):
    host = agents.fleet.hosts[0]
    asked = []

    class Datadog(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["DD-API-KEY"], self.headers["DD-APPLICATION-KEY"]))
            new = int(re.search(r"from=(\d+)", self.path)[1]) * 1000
            # First only what was there before the start, then a gap, then a point.
            points = ([[new - 20_000, 1.0]], [[new + 1000, None]], [[new - 20_000, 1.0], [new + 1000, 1.0]])[min(len(asked), 3) - 1]
            body = json.dumps({"status": "ok", "series": [{"pointlist": points}] if points else []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Datadog) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        metrics = {
            "datadog_expect_metrics": True,
            "datadog_app_key": APP_KEY,
            "datadog_api_address": f"http://127.0.0.1:{server.server_port}",
            "datadog_metrics_delay": 0,
        }
        never = agents.deploy("7.50.1", datadog_metrics_retries=1, **metrics)
        assert len(asked) == 2
        assert "has no metrics of this host from after its start (it answered HTTP 200)" in never.messages(host.name)[0]
        asked.clear()
        seen = agents.deploy("7.50.1", datadog_metrics_retries=5, arguments=["-vvv"], **metrics)
        server.shutdown()
    assert seen.code == 0, seen.output
    assert len(asked) == 3 and {(api, app) for _, api, app in asked} == {(KEY, APP_KEY)}
    assert f"host%3A{host.name}" in asked[0][0]
    assert APP_KEY not in seen.output + json.dumps(seen.events)


def test_bad_input_is_refused_before_any_host_is_asked(agents):
    refused = agents.deploy(
        "latest",
        agents.tarball("7.50.1"),
        slipway_rollout_id="x",
        slipway_artifact_sha256="no",
        slipway_install_root="/opt/datadog-agent",
        datadog_config_folder="/etc",
        datadog_tarball_program="../../bin/sh",
        datadog_owner="root:; x",
        datadog_api_key="short-secret",
        datadog_log_processing_rules=[{**RULE, "pattern": "(unclosed"}],
        host_vars={"web-1": {"slipway_restart_command": "sh -c true", "slipway_stop_command": ""}},
    )
    assert refused.code != 0
    (message,) = refused.messages("web-1")
    for name in (
        "slipway_version", "slipway_rollout_id", "slipway_artifact_sha256", "slipway_install_root must not be", "datadog_config_folder", "datadog_tarball_program",
        "datadog_owner", "datadog_api_key", "slipway_restart_command", "slipway_stop_command", "Log processing rule cards has a pattern that does not compile",
    ):
        assert name in message, message
    assert "short-secret" not in refused.output
    assert [event["task"] for event in refused.of("task")] == ["Check what was asked for"]
    text = agents.run("remove", datadog_remove_configuration="false")
    assert "datadog_remove_configuration must be true or false" in text.messages("web-1")[0]
    repository = agents.run(
        "deploy", slipway_version="7.50.1", datadog_apt_address="http://apt.example", datadog_apt_keys=["https://a.example/k.public", "/b/k.key"],
        datadog_yum_keys=["https://a.example/x]\nenabled=0"],
    )
    (message,) = repository.messages("web-1")
    for name in ("datadog_apt_address", "datadog_apt_keys", "datadog_yum_keys"):
        assert name in message


FINE = {
    "api_key": KEY, "api_key_file": "", "site": "us5.datadoghq.com", "hostname": "web-1", "env": "production", "url": "", "apm": False, "logs": True,
    "processes": False, "tags": ["team:payments"], "checks": POSTGRES, "log_processing_rules": [RULE],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"hostname": "", "env": "", "tags": [], "checks": {}, "log_processing_rules": []}, None),
        ({"api_key": ""}, "datadog_api_key is missing"),
        ({"api_key": KEY + "\nx: y"}, "datadog_api_key must be"),
        ({"api_key_file": "/secret"}, "both given"),
        ({"api_key": "", "api_key_file": "secret"}, "absolute path"),
        ({"api_key": "", "api_key_file": "/nowhere/secret"}, "cannot be read"),
        ({"site": "https://datadoghq.eu"}, "_site"),
        ({"hostname": "web_1;reboot"}, "_hostname"),
        ({"hostname": 7}, "_hostname"),
        ({"env": "Production"}, "_env"),
        ({"url": "http://example.com"}, "_url"),
        ({"url": "http://127.0.0.1.example.com"}, "_url"),
        ({"apm": "yes"}, "_apm must be true or false"),
        ({"logs": 1}, "_logs must be true or false"),
        ({"tags": "team:payments"}, "_tags"),
        ({"tags": ["team: payments"]}, "_tags"),
        ({"checks": []}, "_checks"),
        ({"checks": {"../../cron": {"instances": [{}]}}}, "'../../cron'"),
        ({"checks": {"nginx": {}}}, "list of instances"),
        ({"checks": {"nginx": {"instances": [{"url": "{{ lookup('pipe', 'id') }}"}]}}}, "template braces"),
        ({"checks": {"app": {"logs": [{"log_processing_rules": [{**RULE, "pattern": "["}]}]}}}, "In check app: Log processing rule cards"),
        ({"log_processing_rules": {}}, "must be a list"),
        ({"log_processing_rules": ["mask"]}, "must be a mapping"),
        ({"log_processing_rules": [RULE, RULE]}, "is there twice"),
        ({"log_processing_rules": [{**RULE, "name": ""}]}, "needs a name"),
        ({"log_processing_rules": [{**RULE, "type": "mask"}]}, "one of the types"),
        ({"log_processing_rules": [{**RULE, "colour": "red"}]}, "unknown field 'colour'"),
        ({"log_processing_rules": [{**RULE, "replace_placeholder": ""}]}, "needs a replace_placeholder"),
        ({"log_processing_rules": [{**RULE, "type": "exclude_at_match"}]}, "masks nothing"),
        ({"log_processing_rules": [{"type": "include_at_match", "name": "n", "pattern": "^(GET|POST) [[:alpha:]]+$"}]}, None),
    ]
    + [({"log_processing_rules": [{**RULE, "pattern": pattern}]}, said) for pattern, said in (
        ("", "needs a pattern"), (r"(?P<user>\w+)@(?i:host)", None), (r"\(\?# \\\\u", None), ("(a", "does not compile"), ("*", "does not compile"), (r"a(?=b)", "a look-around"),
        (r"(?<!a)b", "a look-around"), (r"(a)\1", "a back-reference"), (r"x{1,1001}", "more than 1000"), (r"x\Z", "write $"), (r"(?x)a b", "a flag"),
        (r"\u0041", "an escape"), (r"a(?#why)", "a comment"), ("a\x00", "control characters"), ("[{]{2}", None), ("{{ 1 }}", "template braces"), ("x" * 2001, "2,000"),
    )],
)
def test_configuration_is_checked(change, said):
    found = filters.problems({**FINE, **change})
    if said is None:
        assert found == []
    else:
        assert len(found) == 1 and said in found[0], found
        assert found[0].endswith(".") and KEY not in found[0]


class Repository:
    """An apt repository in a folder, signed by a key of its own."""

    def __init__(self, agents, versions):
        self.folder = agents.fleet.folder / "repository"
        self.home = agents.fleet.folder / "gpg"
        self.home.mkdir(mode=0o700)
        pool = self.folder / "pool"
        pool.mkdir(parents=True)
        packages = ""
        for version in versions:
            deb = shutil.copy(agents.deb(version), pool)
            control = subprocess.run(["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True).stdout
            content = pathlib.Path(deb).read_bytes()
            packages += f"{control}Filename: pool/{pathlib.Path(deb).name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n\n"
        architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
        index = self.folder / f"dists/stable/7/binary-{architecture}/Packages"
        index.parent.mkdir(parents=True)
        index.write_text(packages)
        digest = hashlib.sha256(packages.encode()).hexdigest()
        self.release = (
            f"Suite: stable\nCodename: stable\nComponents: 7\nArchitectures: {architecture}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
            f"SHA256:\n {digest} {len(packages)} 7/binary-{architecture}/Packages\n"
        )
        self.sign(self.key("first"))

    def gpg(self, *arguments, **more):
        return subprocess.run(
            ["gpg", "--homedir", self.home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *arguments],
            check=True, capture_output=True, **more,
        )

    def key(self, name):
        """The public half of a new key, as a file."""
        self.gpg("--quick-gen-key", f"{name}@example.com", "rsa2048", "sign")
        path = self.folder / f"{name}.public"
        self.gpg("--armor", "--output", path, "--export", f"{name}@example.com")
        return path

    def sign(self, public):
        self.gpg("--local-user", f"{public.stem}@example.com", "--clearsign", "--output", self.folder / "dists/stable/InRelease", input=self.release.encode())

    def variables(self, version):
        return {
            "slipway_version": version,
            "datadog_source": "repository",
            "datadog_apt_address": f"file:{self.folder}",
            "datadog_apt_keys": [str(self.folder / "first.public")],
        }


@pytest.mark.skipif(not all(map(shutil.which, ("apt-get", "gpg", "gpgv"))), reason="apt-get and gpg are not on this machine")
def test_a_signed_repository_gives_exactly_the_pinned_version(agents):
    host = agents.fleet.hosts[0]
    repository = Repository(agents, ["7.50.1", "7.51.0", "7.52.0"])
    try:
        first = agents.run("deploy", **repository.variables("7.50.1"))
        assert first.code == 0, first.output
        assert runs(host) == "7.50.1", "a newer one is offered, and not taken"
        before, rollout = installed_tree(host), uid()
        upgrade = agents.run("deploy", **repository.variables("7.51.0"), slipway_rollout_id=rollout)
        assert upgrade.code == 0, upgrade.output
        assert runs(host) == "7.51.0"
        again = agents.run("deploy", **repository.variables("7.51.0"))
        assert again.of("already_current"), again.output

        missing = agents.run("deploy", **repository.variables("7.59.0"))
        assert "has no datadog-agent 7.59.0-1" in missing.messages(host.name)[0]
        repository.sign(repository.key("other"))
        forged = agents.run("deploy", **repository.variables("7.52.0"))
        assert "is not signed with the given keys" in forged.messages(host.name)[0]
        assert runs(host) == "7.51.0"
        # Neither of them changed anything, so this rollout is the last one but for the one that found nothing to do.
        back = agents.roll_back(rollout)
        assert back.code == 0, back.output
        assert runs(host) == "7.50.1"
        assert {name: content for name, content in installed_tree(host).items() if name.startswith(("conf", "datadog", "usr/bin"))} == {
            name: content for name, content in before.items() if name.startswith(("conf", "datadog", "usr/bin"))
        }
    finally:
        subprocess.run(["gpgconf", "--homedir", repository.home, "--kill", "gpg-agent"], check=False)


# What dnf and rpm do with a root of their own, as far as the role asks them to: the version that is installed is a line in a file.
RPM = """#!/bin/sh
[ "$1 $2" = "--root @ROOT@" ] || exit 9
shift 2
case "$1" in
-q) [ -s @ROOT@/rpmdb ] && cat @ROOT@/rpmdb ;;
-e) rm @ROOT@/rpmdb @ROOT@/usr/bin/datadog-agent ;;
*) exit 9 ;;
esac
"""
DNF = """#!/bin/sh
echo "$*" >>@ROOT@/dnf.log
for last; do :; done
version=${last#datadog-agent-}
version=${version%-1}
case "$*" in
*makecache) exit 0 ;;
*repoquery*) [ ! -f @ROOT@/rpms/$version ] || echo "$last"; exit 0 ;;
esac
[ -f @ROOT@/rpms/$version ] || { echo "No match for argument: $last" >&2; exit 1; }
mkdir -p @ROOT@/usr/bin
rm -f @ROOT@/usr/bin/datadog-agent
cp @ROOT@/rpms/$version @ROOT@/usr/bin/datadog-agent
echo "$version" >@ROOT@/rpmdb
"""


def test_a_host_with_dnf(agents):
    host = agents.fleet.hosts[0]
    tools = host.folder / "bin"
    tools.mkdir()
    for program in pathlib.Path("/usr/bin").iterdir():
        if not program.name.startswith(("apt", "dpkg", "dnf", "yum", "rpm")):
            (tools / program.name).symlink_to(program)
    rpms = host.folder / "rpms"
    rpms.mkdir()
    for version in ("7.50.1", "7.51.0"):
        (rpms / version).write_text(agents.program(version))
        (rpms / version).chmod(0o755)
    for name, text in (("rpm", RPM), ("dnf", DNF)):
        (tools / name).write_text(text.replace("@ROOT@", str(host.folder)))
        (tools / name).chmod(0o755)
    host.stop()
    host.start(extra_env=f"PATH={tools}")
    rollout = uid()
    for version, more in (("7.50.1", {}), ("7.51.0", {"slipway_rollout_id": rollout})):
        run = agents.run("deploy", slipway_version=version, datadog_source="repository", **more)
        assert run.code == 0, run.output
        assert runs(host) == version
    missing = agents.run("deploy", slipway_version="7.59.0", datadog_source="repository")
    assert "has no datadog-agent 7.59.0-1" in missing.messages(host.name)[0]
    written = (host.folder / "etc/yum.repos.d/slipway-datadog.repo").read_text()
    for line in ("gpgcheck=1", "repo_gpgcheck=1", "baseurl=https://yum.datadoghq.com/stable/7/$basearch/", "gpgkey=https://keys.datadoghq.com/DATADOG_RPM_KEY_CURRENT.public"):
        assert line in written.splitlines()
    back = agents.roll_back(rollout)
    assert back.code == 0, back.output
    assert runs(host) == "7.50.1"
    said = (host.folder / "dnf.log").read_text().splitlines()
    changes = [line.split()[-2:] for line in said if line.split()[-2] in ("install", "downgrade")]
    assert changes == [["install", "datadog-agent-7.50.1-1"], ["install", "datadog-agent-7.51.0-1"], ["downgrade", "datadog-agent-7.50.1-1"]]
    assert agents.run("remove").code == 0 and runs(host) is None


def test_a_host_of_the_lab_runs_the_stand_in(agents):
    """With the lab's own restart and stop commands and folders, as Slipway's end-to-end tests roll it out."""
    host = agents.fleet.hosts[0]
    for name in ("restart", "stop"):
        (host.folder / "bin").mkdir(exist_ok=True)
        shutil.copy(PROJECT.parent.parent / "crates/lab/assets/restart.sh", host.folder / "bin" / name)
        (host.folder / "bin" / name).chmod(0o755)
    for name in ("run", "log"):
        (host.folder / name).mkdir()
    commands = {host.name: {"slipway_restart_command": f"{host.folder}/bin/restart", "slipway_stop_command": f"{host.folder}/bin/stop"}}
    rollout = uid()
    # As Slipway passes it: a project's playbooks, an artefact and no word on where the agent comes from.
    artifact = agents.tarball("7.50.1")
    given = {"slipway_artifact": str(artifact), "slipway_artifact_sha256": hashlib.sha256(artifact.read_bytes()).hexdigest()}
    patience = {"slipway_health_retries": 20, "slipway_health_delay": 0.2}
    own = PROJECT / "datadog"
    first = agents.run(own / "deploy.yml", host_vars=commands, slipway_rollout_id=rollout, slipway_version="7.50.1", **given, **patience)
    assert first.code == 0, first.output
    assert runs(host) == "7.50.1"
    probe = agents.run(own / "probe.yml", host_vars=commands)
    assert probe.code == 0 and probe.versions("observed") == {host.name: "7.50.1"}
    back = agents.run(own / "rollback.yml", host_vars=commands, slipway_rollout_id=rollout)
    assert back.code == 0, back.output
    assert runs(host) is None and back.versions("observed") == {host.name: "absent"}


def test_an_artefact_of_an_agent_that_tells_another_version_is_refused_before_the_switch(agents):
    host = agents.fleet.hosts[0]
    run = agents.deploy("7.50.1", agents.tarball("7.50.1", says="7.49.0"))
    assert "it says 7.49.0" in run.messages(host.name)[0]
    assert not (host.folder / "opt/slipway-datadog/releases/7.50.1").exists()


@pytest.mark.parametrize("playbook", ["deploy", "probe", "rollback", "remove"])
def test_windows_tasks_are_well_formed(tmp_path, playbook):
    listed = subprocess.run(
        [PLAYBOOK.with_name("ansible-doc"), "--type", "module", "--list", "ansible.windows"], capture_output=True, text=True, env=environment(tmp_path), timeout=60, check=False
    )
    if "ansible.windows.win_package" not in listed.stdout:
        pytest.skip("the collection ansible.windows is not installed, so Ansible cannot read the Windows tasks: ansible-galaxy collection install ansible.windows")
    (tmp_path / "inventory.json").write_text('{"all": {"hosts": {"win-1": {}}}}')
    tasks = ROLE / "tasks" / "windows" / f"{playbook}.yml"
    (tmp_path / "play.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.import_tasks: {tasks}\n")
    done = subprocess.run(
        [PLAYBOOK, "--syntax-check", "-i", tmp_path / "inventory.json", tmp_path / "play.yml"], capture_output=True, text=True, env=environment(tmp_path), timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_variable_of_the_readme_exists():
    text = (PROJECT / "README.md").read_text()
    section = text[text.index("## The Datadog agent") :].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`((?:slipway|datadog|ansible)_[a-z0-9_]+)`", row.split(" | ")[0])}
    defaults = set(yaml.safe_load((ROLE / "defaults/main.yml").read_text()))
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]
    known = defaults.union(*(spec.get("options", {}) for spec in specs.values()))
    assert len(named) > 30 and named <= known, named - known
    assert defaults <= named, defaults - named
