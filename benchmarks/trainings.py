"""Run a section's solutions at full length, as a notebook does, and time what takes long.

`python benchmarks/trainings.py [--section 0.5] [--at-least 10] [--to FILE.ipynb]`. All cells run
in one fresh kernel from top to bottom, with nothing made smaller; what is kept of the trainings
goes to a folder that is thrown away. Each cell that takes longer than so many seconds is a row,
named by its first line. The data are those that come with the lab.
"""

import argparse
import os
import tempfile
from pathlib import Path

import nbformat
from table import Row, show

from arena_lab import notebooks
from arena_lab.catalogue import find_section


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--section", default="0.5")
    parser.add_argument("--at-least", type=float, default=10, help="seconds of a row")
    parser.add_argument("--to", type=Path, help="where to keep the notebook that was run")
    arguments = parser.parse_args()
    os.environ["ARENA_LAB_OFFLINE"] = "1"
    section = find_section(arguments.section)
    notebook = notebooks.build(section, solutions=True)
    with tempfile.TemporaryDirectory() as state:
        os.environ["ARENA_LAB_STATE"] = state
        times = notebooks.execute(notebook, section)
    if arguments.to:
        nbformat.write(notebook, arguments.to)
    rows = [
        Row(cell.source.strip().splitlines()[0], f"{seconds:.0f} s", "")
        for cell, seconds in zip(notebook.cells, times, strict=True)
        if seconds >= arguments.at_least
    ]
    rows += [Row("the whole notebook", f"{sum(times):.0f} s", "")]
    show(f"Solutions of {section.number} at full length", rows)


if __name__ == "__main__":
    main()
