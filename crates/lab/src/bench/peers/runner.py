"""Runs what an attempt of Slipway ran, under ansible-runner; its artefacts go where the second argument says.

    runner.py SPEC FOLDER
"""

import json
import os
import shlex
import sys
from pathlib import Path

import ansible_runner

spec, folder = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]
_, *arguments, playbook = spec["argv"]
Path(folder).mkdir(exist_ok=True)
run = ansible_runner.run(
    private_data_dir=folder,
    project_dir=spec["cwd"],
    playbook=playbook,
    cmdline=shlex.join(arguments),
    envvars=dict(os.environ),
    quiet=True,
)
sys.exit(run.rc)
