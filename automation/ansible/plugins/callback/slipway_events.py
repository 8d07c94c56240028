"""Tells Slipway what a playbook does: one JSON object per line on an inherited descriptor."""

from __future__ import annotations

import json
import os
import re
import string
import time
from collections.abc import Mapping

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: slipway_events
    type: notification
    short_description: one JSON line per event on the descriptor that Slipway hands over
    description:
      - Writes to the descriptor whose number is in E(SLIPWAY_EVENT_FD) and does nothing when that is not set.
      - Lines are numbered from 1 without a gap and end with one C(stats) line. Ansible keeps exit code 0 when a
        callback fails, so a missing C(stats) line or a gap means that the outcome is unknown, whatever the exit code.
    requirements:
      - list it in callbacks_enabled
"""

MESSAGE_LIMIT = 2000
LABEL_LIMIT = 80
VERSION_LIMIT = 128
# What passwords and keys are made of.
TOKEN = string.ascii_letters + string.digits + string.punctuation
# Characters of a diff that are told, and of the two texts together that are compared.
DIFF_LIMIT = 8000
COMPARED_LIMIT = 500_000
HIDDEN = "Hidden, because the task sets no_log."
SET_FACT = ("set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact")
SETUP = tuple(prefix + name for prefix in ("", "ansible.builtin.", "ansible.legacy.") for name in ("setup", "gather_facts"))
# What is told of a host, and what Ansible calls it. Whatever else it found out, such as the environment, is not.
TEXT_FACTS = {
    "distribution": "ansible_distribution",
    "version": "ansible_distribution_version",
    "kernel": "ansible_kernel",
    "architecture": "ansible_architecture",
    "hostname": "ansible_hostname",
    "python": "ansible_python_version",
    "machine_id": "ansible_machine_id",
    "cloud_id": "ansible_board_asset_tag",
}
NUMBER_FACTS = {"cpus": "ansible_processor_vcpus", "memory_mb": "ansible_memtotal_mb"}
FACT_LIMIT = 128
# Words of hardware that has no such number.
NO_FACT = ("", "NA", "N/A", "None", "Not Specified")
# Control characters other than tab and newline: a log line is text.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class CallbackModule(CallbackBase):
    """Runs in the main process only; workers report through Ansible's own queue."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "slipway_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._fd = None
        self._pid = os.getpid()
        self._seq = 0
        self._playbook = None
        self._started = {}
        number = os.environ.pop("SLIPWAY_EVENT_FD", None)
        if number is None:
            self.disabled = True
            return
        try:
            self._fd = int(number)
            # Programs started later (ssh, local commands) must not hold or write the descriptor.
            os.set_inheritable(self._fd, False)
        except (OSError, ValueError) as error:
            self._give_up(error)

    # Playbook

    def v2_playbook_on_start(self, playbook):
        self._enter(playbook._file_name)

    def v2_playbook_on_play_start(self, play):
        # An imported playbook announces itself only by the file its plays come from.
        self._enter(play.get_path().rpartition(":")[0])
        inventory = play.get_variable_manager()._inventory
        dry = {"check": True} if context.CLIARGS.get("check") else {}
        self._emit("play", play=clean(play.get_name()), hosts=len(inventory.get_hosts(play.hosts)), **dry)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._emit("task", task=task_name(task), task_id=task._uuid)

    def v2_playbook_on_handler_task_start(self, task):
        self._emit("task", task=task_name(task), task_id=task._uuid)

    def v2_playbook_on_stats(self, stats):
        hosts = {}
        for name in sorted(stats.processed):
            of = stats.summarize(name)
            hosts[name] = {
                "ok": of["ok"],
                "changed": of["changed"],
                "failed": of["failures"],
                "unreachable": of["unreachable"],
                "skipped": of["skipped"],
            }
        self._emit("stats", hosts=hosts)

    # Hosts

    def v2_runner_on_start(self, host, task):
        self._started[host.name, task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result):
        answer = result._result
        self._host(result, "changed" if answer.get("changed") else "ok")
        if result._task.action in SET_FACT:
            self._facts(result._host.name, answer)
        elif result._task.action in SETUP:
            found = answer.get("ansible_facts") or {}
            facts = {name: found.get(called) for name, called in {**TEXT_FACTS, **NUMBER_FACTS}.items()}
            # Only EC2 writes the machine's id there; elsewhere it is somebody's label.
            if not str(facts["cloud_id"]).startswith("i-"):
                del facts["cloud_id"]
            self._about(result._host.name, facts)

    def v2_runner_on_skipped(self, result):
        self._host(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._host(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self._host(result, "ignored" if result._task.ignore_unreachable else "unreachable")

    # Writing

    def _enter(self, path):
        name = os.path.basename(path or "")
        if name and name != self._playbook:
            self._playbook = name
            self._emit("start", playbook=clean(name))

    def _host(self, result, status):
        """One finished task of one host; a loop is one task, whose message names the items that failed."""
        host, task = result._host.name, result._task
        began = self._started.pop((host, task._uuid), None)
        event = {
            "host": host,
            "task": task_name(task),
            "task_id": task._uuid,
            "status": status,
            "ms": 0 if began is None else round((time.monotonic() - began) * 1000),
        }
        if status in ("failed", "unreachable"):
            event["message"] = message(result._result, bool(task.no_log))
        elif status == "changed" and task.diff and not task.no_log:
            if told := self._diff(result._result):
                event["diff"] = told
        self._emit("host", **event)

    def _diff(self, answer):
        """What Ansible shows for --diff, without colours and at most DIFF_LIMIT characters; in a loop, that of every item."""
        texts = []
        for part in answer.get("results") or [answer]:
            if not isinstance(part, dict) or not part.get("diff") or part.get("_ansible_no_log") or "censored" in part:
                continue
            diffs = part["diff"] if isinstance(part["diff"], list) else [part["diff"]]
            if sum(len(str(diff.get(side) or "")) for diff in diffs for side in ("before", "after")) > COMPARED_LIMIT:
                texts.append("The texts are too long to be compared.\n")
            else:
                texts.append(self._get_diff(diffs))
        text = clean("".join(texts)).strip("\n")
        if len(text) <= DIFF_LIMIT:
            return text
        kept = text[:DIFF_LIMIT].rpartition("\n")[0] or text[:DIFF_LIMIT]
        return f"{kept}\n… and {text.count(chr(10)) - kept.count(chr(10))} more lines"

    def _facts(self, host, answer):
        """Facts a playbook sets for Slipway to see; in a loop, those of every item."""
        for part in answer.get("results") or [answer]:
            facts = part.get("ansible_facts") or {}
            if "slipway_version_before" in facts:
                self._emit("before", host=host, version=clean(facts["slipway_version_before"])[:VERSION_LIMIT])
            if "slipway_observed_version" in facts:
                self._emit("observed", host=host, version=clean(facts["slipway_observed_version"])[:VERSION_LIMIT])
            if str(facts.get("slipway_already_current", "")).lower() == "true":
                self._emit("already_current", host=host)
            if isinstance(facts.get("slipway_facts"), Mapping):
                self._about(host, facts["slipway_facts"])

    def _about(self, host, found):
        """What the host is: the facts that have a name here, each checked; a host that tells none of them has no line."""
        facts = {}
        for name in TEXT_FACTS:
            text = found.get(name)
            text = clean(text).replace("\n", " ").strip()[:FACT_LIMIT] if isinstance(text, str) else ""
            if text not in NO_FACT:
                facts[name] = text
        for name in NUMBER_FACTS:
            number = str(found.get(name) or "")
            if number.isascii() and number.isdigit() and 0 < int(number[:10]) < 2**32:
                facts[name] = int(number[:10])
        if facts:
            self._emit("facts", host=host, facts=facts)

    def _emit(self, kind, **fields):
        if self._fd is None or os.getpid() != self._pid:
            return
        self._seq += 1
        event = {"seq": self._seq, "t": time.time_ns() // 1_000_000, "kind": kind, **fields}
        rest = json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        """Says so and writes nothing more: the missing stats line makes the outcome unknown to Slipway."""
        self._fd = None
        self.disabled = True
        self._display.error(
            f"Slipway's event stream broke after line {max(self._seq - 1, 0)} ({error}). The playbook goes on, but Slipway "
            "cannot follow it and will probe the hosts. Check the disk and the process that reads the events."
        )


def task_name(task):
    """The task's own name; its module when it has none."""
    return clean(task.name or task.action)


def clean(value):
    """Text without control characters and without anything UTF-8 cannot carry."""
    return CONTROL.sub("", str(value).encode("utf-8", "replace").decode("utf-8"))


def message(answer, hidden):
    """Why a task failed, at most MESSAGE_LIMIT characters; never module arguments, never what no_log hides."""
    if hidden or answer.get("_ansible_no_log") or "censored" in answer:
        return HIDDEN
    failed = [part for part in answer.get("results") or () if isinstance(part, dict) and (part.get("failed") or part.get("unreachable"))]
    if failed:
        return beginning("\n".join(f"{item_label(part)}: {reason(part)}" for part in failed))
    return beginning(reason(answer))


def beginning(text, limit=MESSAGE_LIMIT):
    """The first characters, without a word that is cut: half a secret is not recognised as one."""
    kept, rest = text[:limit], text[limit : limit + 1]
    return (kept.rstrip(TOKEN) or "…") if rest and rest in TOKEN else kept


def end(text):
    """The last characters, without a word or a private key that is cut."""
    kept, rest = text[-MESSAGE_LIMIT:], text[:-MESSAGE_LIMIT][-1:]
    if not rest:
        return kept
    ended, began = kept.find("-----END"), kept.find("-----BEGIN")
    if ended >= 0 and not 0 <= began < ended:
        return kept[ended:].partition("\n")[2] or "It ended with a private key, which is not shown."
    return (kept.lstrip(TOKEN) or "…") if rest in TOKEN else kept


def item_label(part):
    if part.get("_ansible_no_log") or "censored" in part:
        return "item"
    label = part.get("_ansible_item_label", part.get("item", "item"))
    return beginning(clean(label), LABEL_LIMIT)


def reason(answer):
    """Ansible's sentence, or what the command said for itself when that sentence says nothing."""
    if answer.get("_ansible_no_log") or "censored" in answer:
        return HIDDEN
    text = clean(str(answer.get("msg") or "")[: 10 * MESSAGE_LIMIT]).strip()
    if not text or "non-zero return code" in text or "MODULE FAILURE" in text:
        for stream in ("stderr", "module_stderr", "stdout", "module_stdout"):
            said = clean(str(answer.get(stream) or "")[-10 * MESSAGE_LIMIT :]).strip()
            if said:
                return end(said)  # which tells most
    return text or "The task failed without a message."
