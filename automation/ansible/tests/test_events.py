"""The callback plugin inside a real ansible-playbook, with tasks that end in every way there is."""

import importlib.util
import json
import subprocess

import pytest
from conftest import PLAYBOOK, PROJECT, environment, run_playbook

EVERY_ENDING = """
- name: Endings
  hosts: all
  gather_facts: false
  tasks:
    - name: Loops
      ansible.builtin.command: "{{ item }}"
      loop: ["true", "sh -c 'echo broken pump >&2; exit 3'"]
      when: inventory_hostname == 'loop'
    - name: Ignored
      ansible.builtin.fail:
        msg: never mind
      ignore_errors: true
    - name: Secret
      ansible.builtin.fail:
        msg: the password is hunter2
      no_log: true
      when: inventory_hostname == 'secret'
    - name: Secret item
      ansible.builtin.command: sh -c 'echo hunter2; exit 1'
      loop: [hunter2]
      no_log: true
      when: inventory_hostname == 'secret-item'
    - name: Long
      ansible.builtin.fail:
        msg: "{{ '\\u001b[31mé' * 5000 }}"
      when: inventory_hostname == 'long'
    - name: Slow
      ansible.builtin.command: sleep 0.4
      changed_when: false
    - name: Facts of items
      ansible.builtin.set_fact:
        slipway_observed_version: "{{ item }}"
      loop: ["1", "2"]
    - name: Not for Slipway
      ansible.builtin.set_fact:
        slipway_already_current: false
    - name: Heard
      ansible.builtin.command: "true"
      notify: Handler
  handlers:
    - name: Handler
      ansible.builtin.debug:
        msg: done
"""


def write_project(folder, playbook, hosts):
    (folder / "every.yml").write_text(playbook)
    inventory = {name: {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"} for name in hosts}
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": inventory}}))
    return ["-i", folder / "inventory.json", folder / "every.yml"]


def test_every_ending_of_a_task_is_told_once_and_secrets_never(tmp_path):
    run = run_playbook(write_project(tmp_path, EVERY_ENDING, ["fine", "loop", "secret", "secret-item", "long"]), environment(tmp_path))
    assert run.code != 0
    assert "hunter2" not in json.dumps(run.events)
    assert run.messages("loop") == ["sh -c 'echo broken pump >&2; exit 3': broken pump"]
    assert run.messages("secret") == run.messages("secret-item") == ["Hidden, because the task sets no_log."]
    assert run.messages("long") == ["é" * 2000]
    assert [event["status"] for event in run.of("host", task="Ignored", host="fine")] == ["ignored"]
    assert all("message" not in event for event in run.of("host") if event["status"] not in ("failed", "unreachable"))

    (slow,) = run.of("host", task="Slow", host="fine")
    assert slow["ms"] >= 400 and slow["status"] == "ok"
    assert [event["version"] for event in run.of("observed", host="fine")] == ["1", "2"]
    assert not run.of("already_current")
    assert run.of("task", task="Handler") and run.of("host", task="Handler", host="fine")

    assert [event["kind"] for event in run.events[:3]] == ["start", "play", "task"]
    told = [(event["host"], event["task_id"]) for event in run.of("host")]
    assert len(told) == len(set(told))
    assert run.of("stats") == [run.events[-1]]
    assert run.events[-1]["hosts"]["loop"] == {"ok": 0, "changed": 0, "failed": 1, "unreachable": 0, "skipped": 0}


def test_a_full_disk_is_reported_and_leaves_no_final_event(tmp_path):
    arguments = write_project(tmp_path, "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.debug: {}}]\n", ["one"])
    with open("/dev/full", "wb") as full:
        fd = full.fileno()
        done = subprocess.run(
            [PLAYBOOK, *map(str, arguments)],
            cwd=PROJECT,
            env=environment(tmp_path, SLIPWAY_EVENT_FD=str(fd)),
            pass_fds=[fd],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, "Ansible hides a broken callback: Slipway must look for the stats line"
    assert done.stderr.count("event stream broke after line 0") == 1
    assert "No space left" in done.stderr


def test_without_slipway_the_plugin_is_silent(tmp_path):
    arguments = write_project(tmp_path, "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.debug: {}}]\n", ["one"])
    for env, said in ((environment(tmp_path), ""), (environment(tmp_path, SLIPWAY_EVENT_FD="97"), "event stream broke")):
        done = subprocess.run([PLAYBOOK, *map(str, arguments)], cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and said in done.stderr
        assert said or not done.stderr


@pytest.fixture(scope="module")
def plugin():
    path = PROJECT / "plugins" / "callback" / "slipway_events.py"
    spec = importlib.util.spec_from_file_location("slipway_events", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_text_is_cut_where_no_secret_is(plugin):
    limit = plugin.MESSAGE_LIMIT
    words = "word " * limit
    token = "Tr0ub4dor&3!" * 25
    assert plugin.beginning(words[: limit - 100] + token) == words[: limit - 100]
    assert plugin.end(token + words[: limit - 100]) == words[4 : limit - 100]
    for cut in (plugin.beginning, plugin.end):
        assert cut("short") == "short" and cut("x" * limit) == "x" * limit
        assert cut("é" * 9999) == "é" * limit
        # One that has no end may be a secret from its beginning on.
        assert cut("x" * 9999) == "…"
    assert plugin.item_label({"item": "x " + token}) == "x "
    body = "MIIEpAIBAAKCAQEA\n" * 200
    key = f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"
    assert plugin.end(f"before\n{key}it failed") == "it failed"
    assert "MIIE" not in plugin.end(f"before\n{key}")
    # One that is whole is recognised, and masked, by who reads the events.
    whole = f"-----BEGIN PRIVATE KEY-----\n{body[:300]}-----END PRIVATE KEY-----\n"
    assert plugin.end("x " * limit + whole).endswith(whole)
