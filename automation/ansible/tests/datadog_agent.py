#!/usr/bin/python3
"""What stands in for the Datadog agent: the commands that the role uses, with the answers the agent gives.

    datadog-agent version
    datadog-agent run|status|configcheck -c FOLDER
    datadog-agent --config FOLDER.json              as the lab's hosts start a service: the same as run -c FOLDER
    datadog_agent.py tarball VERSION FILE           makes an artefact of itself and prints its SHA-256

Like the agent, `status` and `configcheck` ask the process that runs, and `run` ends at once when datadog.yaml is broken. What
they print holds the API key and the checks' passwords on purpose: whoever calls them must not tell it further.
"""

import gzip
import hashlib
import io
import json
import pathlib
import socket
import sys
import tarfile

VERSION = "@VERSION@"


def settings(folder):
    """The top-level values of datadog.yaml as the role writes them: JSON, or a block that is not looked into."""
    values = {}
    for line in (folder / "datadog.yaml").read_text().splitlines():
        if line and not line.startswith(("#", " ")):
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"line {line!r} is no setting")
            values[name] = json.loads(value) if value.strip() else None
    if not values.get("api_key") or not values.get("site"):
        raise ValueError("api_key or site is missing")
    if "start:never" in values.get("tags", []):
        raise ValueError("this tag keeps the stand-in from starting")
    return values


def run(folder):
    try:
        values = settings(folder)
    except (OSError, ValueError) as error:
        sys.exit(f"Error: unable to load Datadog config file: {error}")
    checks = {file.parent.name[:-2]: file.read_text() for file in sorted(folder.glob("conf.d/*.d/conf.yaml"))}
    path = folder / "agent.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(16)
        print("listening", flush=True)
        while True:
            with server.accept()[0] as client:
                client.sendall(json.dumps({"version": VERSION, "settings": values, "checks": checks}).encode())


def ask(folder):
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "agent.sock"))
            with client.makefile() as answer:
                return json.load(answer)
    except OSError as error:
        print(f"Error: could not reach agent: {error}", file=sys.stderr)
        sys.exit(255)


def tarball(version, path):
    """The same bytes for the same version, wherever and whenever it is made."""
    content = pathlib.Path(__file__).read_text().replace('"@' + 'VERSION@"', f'"{version}"').encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("bin/datadog-agent")
        member.size, member.mode, member.mtime = len(content), 0o755, 1_767_225_600
        tar.addfile(member, io.BytesIO(content))
    pathlib.Path(path).write_bytes(gzip.compress(archive.getvalue(), mtime=1_767_225_600))
    print(hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest())


def main():
    command = sys.argv[1]
    if command == "tarball":
        tarball(*sys.argv[2:])
        return
    if command == "--config":
        run(pathlib.Path(sys.argv[2].removesuffix(".json")))
    if command == "version":
        print(f"Agent {VERSION} - Commit: 0000000 - Serialization version: v5.0.99 - Go version: go1.20.12")
        return
    option, folder = sys.argv[2:]
    assert option == "-c", option
    folder = pathlib.Path(folder)
    if command == "run":
        run(folder)
    answer = ask(folder)
    if command == "status":
        line = "=" * len(f"Agent (v{answer['version']})")
        print(f"Getting the status from the agent.\n\n{line}\nAgent (v{answer['version']})\n{line}\n\n  API key {answer['settings']['api_key']}: valid")
    elif command == "configcheck":
        for name, text in answer["checks"].items():
            if "broken" in text:
                print(f"=== Configuration \x1b[31merrors\x1b[0m ===\n\n{name}: cannot load\n{text}")
            else:
                print(f"=== {name} check ===\n{text}")
    else:
        sys.exit(f"Error: unknown command {command!r}")


main()
