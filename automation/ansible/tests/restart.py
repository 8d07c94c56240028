"""A host's restart command: ends the daemon it started before and starts the one `current` names.

Usage: restart.py HOST_FOLDER ADDRESS PORT SERVICE, with SLIPWAY_INSTALL_ROOT. Returns when the daemon listens.
"""

import os
import pathlib
import select
import signal
import subprocess
import sys

folder, (address, port, service) = pathlib.Path(sys.argv[1]), sys.argv[2:]
if service != "checkout":
    sys.exit(f"There is no service {service} on this host.")
pid_file = folder / "daemon.pid"


def end_previous():
    if not pid_file.exists():
        return
    try:
        process = os.pidfd_open(int(pid_file.read_text()))
    except ProcessLookupError:
        return
    signal.pidfd_send_signal(process, signal.SIGTERM)
    if not select.select([process], [], [], 10)[0]:
        sys.exit("The old daemon did not end in 10 s.")


end_previous()
program = pathlib.Path(os.environ["SLIPWAY_INSTALL_ROOT"]) / "current" / "health_daemon.py"
daemon = subprocess.Popen(
    [sys.executable, str(program), address, port],
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)
pid_file.write_text(str(daemon.pid))
if daemon.stdout.readline() != b"listening\n":
    sys.exit("The daemon ended before it listened.")
