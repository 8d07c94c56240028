"""Projects that Slipway does not ship: one that keeps the contract of the README, and what goes wrong with those that do not."""

import json
import os
import re
import select
import signal
import subprocess
import uuid

from conftest import PLAYBOOK, PROJECT, TESTS, environment, run_playbook, tree

EXAMPLE = TESTS / "example"


def local(folder, playbook, hosts=("one",), name="play.yml"):
    """A project of one playbook, run on this machine."""
    (folder / name).write_text(playbook)
    inventory = {host: {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"} for host in hosts}
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": inventory}}))
    return ["-i", folder / "inventory.json", folder / name]


def test_a_project_of_ones_own_tells_versions_health_and_facts(fleet):
    fine, sick, _ = fleet.hosts
    hosts = [fine, sick]
    roots = {host.name: {"slipway_install_root": str(host.folder / "srv/motto")} for host in hosts}
    for host, motto in ((fine, "1.0.0"), (sick, "sick")):
        (host.folder / "srv/motto/attempts").mkdir(parents=True)
        (host.folder / "srv/motto/motto").write_text(motto + "\n")
    given = {"hosts": hosts, "host_vars": roots, "slipway_version": "1.1.0"}

    before = {host.name: tree(host.folder) for host in hosts}
    dry = fleet.run(EXAMPLE / "deploy.yml", arguments=["--check", "--diff"], **given)
    assert dry.code == 0, dry.output
    diffs = {event["host"]: event["diff"] for event in dry.of("host", status="changed", task="Write the motto")}
    assert "-1.0.0\n+1.1.0" in diffs[fine.name] and "-sick\n+1.1.0" in diffs[sick.name]
    assert {host.name: tree(host.folder) for host in hosts} == before

    probe = fleet.run(EXAMPLE / "probe.yml", **given)
    assert probe.versions("observed") == {fine.name: "1.0.0", sick.name: "sick"}
    assert probe.messages(sick.name) == ["The motto is sick."] and not probe.messages(fine.name)

    attempt = str(uuid.uuid4())
    deploy = fleet.run(EXAMPLE / "deploy.yml", attempt=attempt, **given)
    assert deploy.code == 0, deploy.output
    assert deploy.versions("before") == {fine.name: "1.0.0", sick.name: "sick"}
    assert deploy.versions("observed") == dict.fromkeys(roots, "1.1.0")
    facts = {event["host"]: event["facts"] for event in deploy.of("facts")}
    assert facts[fine.name]["kernel"] == os.uname().release and facts[fine.name]["memory_mb"] > 100 and facts[fine.name]["cpus"] > 0
    allowed = {"distribution", "version", "kernel", "architecture", "hostname", "python", "machine_id", "cloud_id", "cpus", "memory_mb"}
    assert set(facts[fine.name]) <= allowed, "whatever else Ansible gathers stays where it is"
    twice = fleet.run(EXAMPLE / "deploy.yml", attempt=attempt, **given)
    assert "File exists" in twice.messages(fine.name)[0]

    for host in hosts:
        roots[host.name]["slipway_rollback_to"] = "1.0.0"
    back = fleet.run(EXAMPLE / "rollback.yml", **given)
    assert back.code == 0 and back.versions("observed") == dict.fromkeys(roots, "1.0.0")


HOSTILE = r"""
- hosts: all
  gather_facts: false
  tasks:
    - name: Binary
      ansible.builtin.shell: printf 'broken \377\376\000 pump' >&2; exit 1
      when: inventory_hostname == 'binary'
    - name: "Version with escapes \x1b[2J"
      ansible.builtin.set_fact:
        slipway_observed_version: "1.0\e[31m\r\x07"
    - name: Facts with escapes
      ansible.builtin.set_fact:
        slipway_facts: {kernel: "6.1\e]0;x\x07", hostname: ["a"], cpus: "4", memory_mb: "-1", machine_id: "{{ 'x' * 5000 }}", password: hunter2}
    - name: Diff with escapes
      ansible.builtin.copy:
        content: "\e[31mred\n{{ (['x' * 99] * 500) | join('\n') }}"
        dest: "{{ playbook_dir }}/copied"
      diff: true
    - name: Secret diff
      ansible.builtin.copy:
        content: hunter2
        dest: "{{ playbook_dir }}/secret"
      diff: true
      no_log: true
    - name: Escapes
      ansible.builtin.shell: printf '\033]0;title\007\033[2J\033[1;31mred\000\r\nend' >&2; exit 1
"""


def test_hostile_output_reaches_no_event(tmp_path):
    run = run_playbook(local(tmp_path, HOSTILE, ["one", "binary"]), environment(tmp_path))
    told = json.dumps(run.events, ensure_ascii=False)
    assert not re.findall(r"[\x00-\x1f\x7f-\x9f]|\\u00[01]", told.replace("\\n", ""))
    assert "hunter2" not in told
    assert run.of("observed")[0]["version"] == "1.0"
    assert run.of("facts")[0]["facts"] == {"kernel": "6.1]0;x", "cpus": 4, "machine_id": "x" * 128}
    assert not [event for event in run.of("host", task="Secret diff") if "diff" in event]
    (diff,) = [event["diff"] for event in run.of("host", task="Diff with escapes")]
    assert "+red\n+xxx" in diff and len(diff) < 8100 and diff.splitlines()[-1].startswith("… and ")
    assert run.messages("one") == ["]0;titlered\nend"]
    # From 2.19 on Ansible refuses what is no UTF-8, and says so; before, it put marks in its place.
    assert run.messages("binary")[0]
    assert run.of("stats") == [run.events[-1]]


LOUD = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Loud
      ansible.builtin.shell: head -c 20000000 /dev/zero | tr '\\0' x >&2; exit 1
"""


def test_very_much_output_makes_no_long_event(tmp_path):
    run = run_playbook(local(tmp_path, LOUD), environment(tmp_path))
    assert len(run.output) > 20_000_000
    assert run.messages("one") == ["…"]
    assert sum(len(json.dumps(event)) for event in run.events) < 10_000
    assert run.of("stats") == [run.events[-1]]


def test_a_wrong_vault_password_is_named_and_no_host_is_asked(tmp_path):
    for name, text in (("right", "correct horse"), ("wrong", "battery staple")):
        (tmp_path / name).write_text(text)
    arguments = local(tmp_path, "- hosts: all\n  gather_facts: false\n  vars_files: [secret.yml]\n  tasks: [{ansible.builtin.command: 'touch {{ marker }}'}]\n")
    (tmp_path / "secret.yml").write_text(f"marker: {tmp_path / 'touched'}\n")
    env = environment(tmp_path)
    subprocess.run([PLAYBOOK.with_name("ansible-vault"), "encrypt", "--vault-password-file", tmp_path / "right", tmp_path / "secret.yml"], env=env, check=True, capture_output=True)
    for password, named in (("wrong", "ecryption failed"), (None, "no vault secrets")):
        run = run_playbook([*(["--vault-password-file", tmp_path / password] if password else []), *arguments], env)
        assert run.code not in (0, 2), run.output
        assert named in run.output, run.output
        assert not run.of("host") and not run.of("task") and not (tmp_path / "touched").exists()
    assert run_playbook(["--vault-password-file", tmp_path / "right", *arguments], env).code == 0
    assert (tmp_path / "touched").exists()


def test_an_inventory_script_that_hangs_ends_with_its_process_group(tmp_path):
    """How ansible-inventory has to be ended: its own process alone would leave the script and what that started."""
    os.mkfifo(tmp_path / "pids")
    script = tmp_path / "inventory"
    script.write_text(f"#!/bin/sh\nsleep 1000 &\necho $$ $! >{tmp_path / 'pids'}\nwait\n")
    script.chmod(0o755)
    asked = subprocess.Popen(
        [PLAYBOOK.with_name("ansible-inventory"), "-i", script, "--list"],
        cwd=PROJECT, env=environment(tmp_path, ANSIBLE_INVENTORY_ENABLED="script"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    # Waits until the script is there.
    started = [os.pidfd_open(int(pid)) for pid in (tmp_path / "pids").read_text().split()]
    try:
        assert asked.poll() is None
        os.killpg(asked.pid, signal.SIGKILL)
        assert asked.wait(10) == -signal.SIGKILL
        for process in started:
            assert select.select([process], [], [], 10)[0], "a process of the script is left"
    finally:
        for process in started:
            os.close(process)
