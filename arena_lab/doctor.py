"""Say whether this machine is fit for the lab: `./inv doctor`, on the host and in the container.

One line a check: PASS, WARN where the lab works all the same, FAIL where it cannot, the reason,
and the command that mends it. Standard library only, Python 3.9 or later, like what starts it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from arena_lab import asking, image, machine, ports
from arena_lab.errors import LabError
from arena_lab.machine import FAIL, PASS, WARN, Finding
from arena_lab.paths import ROOT
from arena_lab.programs import ask

_COLOURS = {PASS: "\033[32m", WARN: "\033[33m", FAIL: "\033[31m"}
_NAME = 20
# The container's waits up to a minute for JupyterLab.
_PATIENCE_S = 180


def findings() -> Iterator[Finding]:
    """Give what there is to say: of the container inside it, of the machine outside."""
    if os.environ.get("ARENA_LAB_CONTAINER") == "1":
        from arena_lab import inside

        yield from inside.examine()
        return
    found = asking.look()
    yield from machine.examine(found)
    if image.answers(found.docker):
        yield from _of_the_container()


def _of_the_container() -> Iterator[Finding]:
    """Ask the container of this checkout, where it runs."""
    for container in ports.running():
        command = ["docker", "exec", container.name, "invoke", "doctor", "--json"]
        try:
            said = json.loads(ask(command, _PATIENCE_S).text)["findings"]
        except (ValueError, KeyError):
            yield Finding("container", FAIL, "it runs, but its doctor does not", "./inv build")
            return
        for found in said:
            found["fix"] = ()  # for inside
            yield Finding(**{**found, "name": f"inside: {found['name']}"})


def status(found: Iterable[Finding]) -> int:
    """Give the exit status: 0 where all is well, 1 with a warning, 2 with a failure."""
    worst = {f.status for f in found}
    return 2 if FAIL in worst else 1 if WARN in worst else 0


def line(finding: Finding, colour: bool = False) -> str:
    """Write a finding for a terminal."""
    mark = f"{_COLOURS[finding.status]}{finding.status}\033[0m" if colour else finding.status
    text = f"{mark}  {finding.name:<{_NAME}}{finding.reason}"
    indent = " " * (6 + _NAME)
    mend = textwrap.fill(finding.mend, 200, initial_indent=indent + "→ ", subsequent_indent=indent)
    return f"{text}\n{mend}" if finding.mend else text


def mend(finding: Finding) -> Finding:
    """Run what mends a finding; give it anew, as it is then."""
    done = subprocess.run(finding.fix, cwd=ROOT, capture_output=True, encoding="utf-8")
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or [f"status {done.returncode}"]
        reason = f"{finding.reason}; mending it failed: {said[-1]}"
        return dataclasses.replace(finding, reason=reason)
    return Finding(finding.name, PASS, f"mended: {finding.reason}")


def report(*, as_json: bool = False, fix: bool = False) -> int:
    """Print every finding as it comes, and give the exit status.

    Args:
        as_json: Print JSON instead of lines.
        fix: Mend first what can be mended without a risk.
    """
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    found = []
    for each in findings():
        finding = mend(each) if fix and each.fix and each.status != PASS else each
        found.append(finding)
        if not as_json:
            print(line(finding, colour), flush=True)
    if as_json:
        rows = [dataclasses.asdict(finding) for finding in found]
        print(json.dumps({"status": status(found), "findings": rows}, indent=2))
    elif not fix and any(f.fix and f.status != PASS for f in found):
        print("./inv doctor --fix does what is safe of it.")
    return status(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it from a command line."""
    parser = argparse.ArgumentParser(
        prog="./inv doctor", description="Is this machine fit for the lab?"
    )
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    parser.add_argument("--fix", action="store_true", help="mend what can be mended safely")
    try:
        return report(**vars(parser.parse_args(arguments)))
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
