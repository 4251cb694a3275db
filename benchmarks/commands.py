"""How long a learner waits for a command: `python benchmarks/commands.py`."""

import os
import signal
import socket
import subprocess
import sys
import tempfile

from table import Row, command, median_seconds, show

from arena_lab import catalogue
from arena_lab.paths import ROOT

# Of a whole section, cold, against `import torch` in the same run.
_GOALS = {"0.0": 2, "0.1": 3, "0.2": 5, "0.3": 12, "0.4": 1, "0.5": 6}
_N = 5


def rows() -> list[Row]:
    invoke = [sys.executable, "-m", "invoke"]
    listing = median_seconds(command(*invoke, "--list"), _N)
    torch = median_seconds(command(sys.executable, "-c", "import torch"), _N)
    found = [
        Row("invoke --list", f"{listing:.2f} s", "≤ 0.35 s"),
        Row("./inv --list, .venv made", f"{median_seconds(command('./inv'), _N):.2f} s", "≤ 2 s"),
        Row("./inv lab until its link answers", f"{median_seconds(start_lab, _N):.2f} s", ""),
        Row("python -c 'import torch'", f"{torch:.2f} s", ""),
    ]
    for section in catalogue.sections():
        run = command(*invoke, "test", "--section", section.number, "--solutions")
        seconds = median_seconds(run, _N)
        goal = f"≤ {_GOALS[section.number]}×" if section.number in _GOALS else ""
        found.append(
            Row(
                f"invoke test --section {section.number}, cold, {len(section.exercises)} exercises",
                f"{seconds / torch:.2f}× import torch ({seconds:.2f} s)",
                goal,
            )
        )
    return found


def start_lab() -> None:
    """Start the lab, wait for its link, and stop it."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as state:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        lab = subprocess.Popen(
            ["./inv", "lab", "--no-browser", f"--port={port}"],
            cwd=ROOT,
            env={**os.environ, "ARENA_LAB_STATE": state},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert lab.stdout
            if "token=" not in lab.stdout.readline():
                raise RuntimeError("the lab did not start")
        finally:
            lab.send_signal(signal.SIGINT)
            lab.wait(30)


if __name__ == "__main__":
    show(f"Commands, median of {_N}", rows())
