"""Shows with --check what a task would change: `now` and `then` as a diff, and "changed" when they differ. Touches no host."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset(("now", "then"))

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        if not {"now", "then"} <= set(self._task.args):
            raise AnsibleActionFail("slipway_preview needs now and then.")
        now, then = (text(self._task.args[side]) for side in ("now", "then"))
        result["changed"] = now != then
        if result["changed"]:
            result["diff"] = {"before": now, "after": then}
        return result


def text(value):
    """A mapping as lines of names and values, without those that are empty."""
    if isinstance(value, dict):
        value = "".join(f"{name}: {part}\n" for name, part in value.items() if part not in ("", None))
    return str(value)
