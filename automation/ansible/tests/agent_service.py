"""A host's commands for the agent: ends the one that runs, and starts the one that is installed.

Usage: agent_service.py start|stop HOST_FOLDER SERVICE. Returns when the agent listens.
"""

import os
import pathlib
import select
import signal
import subprocess
import sys

action, folder, service = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
if service != "datadog-agent":
    sys.exit(f"There is no service {service} on this host.")
pid_file = folder / "agent.pid"
if pid_file.exists():
    try:
        process = os.pidfd_open(int(pid_file.read_text()))
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not select.select([process], [], [], 10)[0]:
            sys.exit("The old agent did not end in 10 s.")
    except ProcessLookupError:
        pass
    pid_file.unlink()
if action == "stop":
    sys.exit()
program = folder / "opt/slipway-datadog/current/bin/datadog-agent"
if not program.exists():
    program = folder / "usr/bin/datadog-agent"
agent = subprocess.Popen(
    [program, "run", "-c", folder / "etc/datadog-agent"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
)
if agent.stdout.readline() != b"listening\n":
    sys.exit("The agent ended before it listened.")
pid_file.write_text(str(agent.pid))
