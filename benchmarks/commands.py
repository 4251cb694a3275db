"""How long a learner waits for a command: `python benchmarks/commands.py`."""

import sys

from table import Row, command, median_seconds, show

from arena_lab import catalogue

# Of a whole section, cold, against `import torch` in the same run.
_GOALS = {"0.0": 2, "0.1": 3, "0.2": 5, "0.3": 12, "0.4": 1, "0.5": 6}
_N = 5


def rows() -> list[Row]:
    invoke = [sys.executable, "-m", "invoke"]
    listing = median_seconds(command(*invoke, "--list"), _N)
    torch = median_seconds(command(sys.executable, "-c", "import torch"), _N)
    found = [
        Row("invoke --list", f"{listing:.2f} s", "≤ 0.35 s"),
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


if __name__ == "__main__":
    show(f"Commands, median of {_N}", rows())
