"""Checks what a Datadog agent shall be configured with, before any host is asked. Sentences never repeat a secret."""

from __future__ import annotations

import os
import re
import stat
import warnings

try:
    from re import _constants as code
    from re import _parser as parser
except ImportError:  # Python before 3.11
    import sre_constants as code
    import sre_parse as parser

KEY = re.compile(r"[A-Za-z0-9_-]{16,128}\Z")
SITE = re.compile(r"(?=.{4,100}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+\Z")
HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
TAG = re.compile(r"[a-z][a-z0-9_:./-]{0,199}\Z")
CHECK = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")
RULE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
ADDRESS = re.compile(r"(https://|http://127\.\d+\.\d+\.\d+(?=[:/]|\Z))[!-~]*\Z")
RULE_TYPES = ("exclude_at_match", "include_at_match", "mask_sequences")
RULE_FIELDS = ("type", "name", "pattern", "replace_placeholder")
# What Python's patterns have and the agent's (RE2) have not. An agent with such a pattern does not start.
NOT_IN_RE2 = {
    code.ASSERT: "a look-around",
    code.ASSERT_NOT: "a look-around",
    code.GROUPREF: "a back-reference",
    code.GROUPREF_EXISTS: "a condition",
}
if hasattr(code, "ATOMIC_GROUP"):  # Python 3.11
    NOT_IN_RE2 |= {code.ATOMIC_GROUP: "an atomic group", code.POSSESSIVE_REPEAT: "a possessive repetition"}
# Escapes and comments that Python's parser takes out, so that they are looked for in the text.
ONLY_PYTHON = re.compile(r"(?<!\\)(?:\\\\)*(?:\\[uUN]|\(\?#)")
RE2_FLAGS = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.UNICODE
RE2_REPETITIONS = 1000


def key(value, path):
    """The key itself: as given, or read from a file on the controller. Empty when there is none; key_problems says why."""
    if value or not path:
        return str(value or "")
    try:
        with open(path, encoding="ascii") as file:
            return file.read(1000).strip()
    except (OSError, ValueError):
        return ""


def key_problems(value, path, name, needed=True):
    """What is wrong with a key given by variable or by file."""
    if value and path:
        return [f"{name} and {name}_file are both given. Give one of them."]
    if path:
        if not isinstance(path, str) or not path.startswith("/"):
            return [f"{name}_file must be an absolute path on the controller."]
        try:
            found = os.stat(path)
        except OSError as error:
            return [f"{name}_file cannot be read on the controller: {error.strerror}."]
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
            return [f"{name}_file must be a file that only its owner may read. Run chmod 600 on it."]
    elif not value:
        return [f"{name} is missing. Give it in a variable, in a file named by {name}_file, or in the environment."] if needed else []
    if not KEY.match(key(value, path)):
        return [f"{name} must be 16 to 128 letters, digits, hyphens and underscores."]
    return []


def problems(given):
    """Sentences about everything in `given` that cannot be used."""
    found = key_problems(given["api_key"], given["api_key_file"], "datadog_api_key")

    def text(name, rule, sentence, optional=False):
        value = given[name]
        if not isinstance(value, str) or not (rule.match(value) or (optional and value == "")):
            found.append(f"datadog_{name} {sentence}")

    text("site", SITE, "must be the name of a Datadog site such as datadoghq.eu.")
    text("hostname", HOSTNAME, "must be a host name of letters, digits, dots and hyphens, or empty to let the agent find its own.", optional=True)
    text("env", TAG, "must be a lower-case word such as production, or empty.", optional=True)
    text("url", ADDRESS, "must be an https:// address, or empty.", optional=True)
    for name in ("apm", "logs", "processes"):
        if not isinstance(given[name], bool):
            found.append(f"datadog_{name} must be true or false.")
    tags = given["tags"]
    if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) and TAG.match(tag) for tag in tags):
        found.append("datadog_tags must be a list of lower-case tags such as team:payments.")
    return found + check_problems(given["checks"]) + rule_problems(given["log_processing_rules"])


def check_problems(checks):
    if not isinstance(checks, dict):
        return ["datadog_checks must be a mapping of check names to their configurations."]
    found = []
    for name, config in checks.items():
        if not isinstance(name, str) or not CHECK.match(name):
            found.append(f"The check {shown(name)} must have a name of lower-case letters, digits and underscores.")
        elif not isinstance(config, dict) or not any(isinstance(config.get(part), list) and config[part] for part in ("instances", "logs")):
            found.append(f"The check {name} must be a mapping with a list of instances or of logs.")
        elif not plain(config):
            found.append(f"The check {name} holds something that is neither text, a number, true, false, a list nor a mapping, or text with control characters or template braces.")
        elif isinstance(config.get("logs"), list):
            for source in config["logs"]:
                if not isinstance(source, dict):
                    found.append(f"The logs of check {name} must be mappings.")
                elif "log_processing_rules" in source:
                    found += [f"In check {name}: {problem}" for problem in rule_problems(source["log_processing_rules"])]
    return found


def rule_problems(rules):
    if not isinstance(rules, (list, tuple)):
        return ["datadog_log_processing_rules must be a list of mappings."]
    found, names = [], set()
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, dict):
            found.append(f"Log processing rule {number} must be a mapping with type, name and pattern.")
            continue
        name = rule.get("name")
        called = f"Log processing rule {number}"
        if not isinstance(name, str) or not RULE_NAME.match(name):
            found.append(f"{called} needs a name of letters, digits, dots, hyphens and underscores.")
        else:
            called = f"Log processing rule {name}"
            if name in names:
                found.append(f"{called} is there twice. Give each rule a name of its own.")
            names.add(name)
        if unknown := [field for field in rule if field not in RULE_FIELDS]:
            found.append(f"{called} has the unknown field {shown(unknown[0])}. Known are {', '.join(RULE_FIELDS)}.")
        if rule.get("type") not in RULE_TYPES:
            found.append(f"{called} must have one of the types {', '.join(RULE_TYPES)}.")
        found += [f"{called} {problem}" for problem in pattern_problems(rule.get("pattern"))]
        placeholder = rule.get("replace_placeholder")
        if rule.get("type") == "mask_sequences":
            if not isinstance(placeholder, str) or not placeholder or not plain(placeholder):
                found.append(f"{called} masks, so it needs a replace_placeholder such as [masked].")
        elif placeholder is not None and rule.get("type") in RULE_TYPES:
            found.append(f"{called} masks nothing, so it has no replace_placeholder. Remove it, or use mask_sequences.")
    return found


def pattern_problems(pattern):
    """Why a pattern would not compile in the agent, judged by Python's own parser and what RE2 is known to lack."""
    if not isinstance(pattern, str) or not pattern:
        return ["needs a pattern."]
    if not plain(pattern):
        return ["has control characters or template braces in its pattern. Write \\n, \\t or [{]{2} instead."]
    if len(pattern) > 2000:
        return ["has a pattern of more than 2,000 characters."]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return [f"has a pattern that does not compile: {error}."]
    if parsed.state.flags & ~RE2_FLAGS:
        return ["has a pattern with a flag that the agent does not know. It knows i, m and s."]
    if ONLY_PYTHON.search(pattern):
        return ["has a comment, or an escape such as \\u0041, in its pattern. Write \\x41 instead."]
    if lacking := lacks(parsed):
        return [f"has {lacking} in its pattern, which the agent does not know."]
    return []


def lacks(parsed):
    """The first thing of a parsed pattern that RE2 does not have."""
    if isinstance(parsed, tuple) and len(parsed) == 2 and parsed[0] in NOT_IN_RE2:
        return NOT_IN_RE2[parsed[0]]
    if isinstance(parsed, tuple) and parsed and parsed[0] in (code.MAX_REPEAT, code.MIN_REPEAT):
        bounds = [bound for bound in parsed[1][:2] if bound != code.MAXREPEAT]
        if max(bounds) > RE2_REPETITIONS:
            return f"a repetition of more than {RE2_REPETITIONS}"
    if parsed == (code.AT, code.AT_END_STRING):
        return "\\Z (write $)"
    if isinstance(parsed, (tuple, list, parser.SubPattern)):
        for part in parsed:
            if lacking := lacks(part):
                return lacking
    return None


def plain(value):
    """Whether a value is what YAML can carry and Ansible does not evaluate."""
    if isinstance(value, str):
        return all(letter.isprintable() or letter in "\n\t" for letter in value) and not any(mark in value for mark in ("{{", "{%", "{#"))
    if isinstance(value, dict):
        return all(isinstance(name, str) and plain(name) and plain(part) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return all(plain(part) for part in value)
    return value is None or isinstance(value, (bool, int, float))


def shown(value):
    return repr(str(value)[:40])


def keyring(address):
    """Where a key of the apt repository lies on the host. apt tells armoured keys from binary ones by the end of the name."""
    stem, end = os.path.splitext(os.path.basename(address))
    return f"/usr/share/keyrings/slipway-datadog-{stem}{'.gpg' if end == '.gpg' else '.asc'}"


class FilterModule:
    def filters(self):
        return {"datadog_key": key, "datadog_keyring": keyring, "datadog_key_problems": key_problems, "datadog_problems": problems}
