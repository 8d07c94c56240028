"""Shows how a configuration would change, without its secrets: names of all values, but only such values as nobody hides."""

from __future__ import annotations

import base64
import json
import re

import yaml

WRITTEN = "# Written by Slipway:"
# What is told of datadog.yaml. Anything else may be a key or a password, and so may every value of a check.
SHOWN = re.compile(r"(site|hostname|env|tags|logs_enabled|apm_config\.enabled|process_config\.process_collection\.enabled|logs_config\.processing_rules.*)\Z")
FOREIGN = "(not written by Slipway)"


def files(lines, side):
    """What agent.sh's "configuration" said of one side: name of each file, and its content as values."""
    found = {}
    for line in lines:
        of, name, content = line.split(" ")
        if of == side:
            found[name] = read(base64.b64decode(content).decode("utf-8", "replace"))
    return found


def read(text):
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return {"file": FOREIGN}
    # The same values in another's words are written anew.
    return values if text.startswith(WRITTEN) else {"file": FOREIGN, "values": values}


def wanted(settings, checks):
    """The files that a deploy would write."""
    return {"datadog.yaml": read(settings), **{f"conf.d/{name}.d/conf.yaml": check for name, check in checks.items()}}


def shown(now, then):
    """The two sides as texts whose difference is the difference of the files."""
    sides = []
    for of in (now, then):
        lines = []
        for name in sorted({*now, *then}):
            if name in of:
                other = dict(values(now.get(name))) if of is then else {}
                lines += [f"{name}\n", *(f"  {path}: {telling(name, path, value, other)}\n" for path, value in values(of[name]))]
        sides.append("".join(lines))
    return sides


def values(value, path=""):
    """Every value with its path; lists of plain values are one."""
    if isinstance(value, dict) and value:
        if value.get("file") == FOREIGN:
            yield "file", FOREIGN
            value = value.get("values")
            if not isinstance(value, dict):
                return
        for name in value:
            yield from values(value[name], f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(part, (dict, list)) for part in value):
        for number, part in enumerate(value):
            yield from values(part, f"{path}[{number}]")
    else:
        yield path, value


def telling(name, path, value, other):
    plain = value is None or isinstance(value, bool) or value in ([], {}) or value == FOREIGN
    if plain or (name == "datadog.yaml" and SHOWN.match(path)):
        return value if value == FOREIGN else json.dumps(value, ensure_ascii=False, default=str)
    return "(hidden, another value)" if path in other and other[path] != value else "(hidden)"


class FilterModule:
    def filters(self):
        return {"datadog_files": files, "datadog_wanted": wanted, "datadog_shown": shown}
