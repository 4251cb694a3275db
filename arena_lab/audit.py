"""What is known against the packages of the lock: pip-audit's answer, from OSV's database."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from arena_lab import hosts
from arena_lab.errors import LabError


def advisories(lock: Path, database: str = hosts.ADVISORIES) -> Iterator[tuple[str, str, str]]:
    """Give package and version, the advisory's number, and the versions that mend it.

    Args:
        lock: A requirements file with hashes.
        database: Where OSV's interface is served.

    Raises:
        LabError: The database does not answer, or not for every package.
    """
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip"),
        *("--require-hashes", "--vulnerability-service", "osv", "--osv-url", database),
        *("--format", "json", "--progress-spinner", "off", "--desc", "off"),
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        why = last.rpartition(": ")[2].rstrip("')\"")
        raise LabError(f"{database} could not be asked for advisories: {why}") from None
    if skipped := [package["name"] for package in found if "skip_reason" in package]:
        raise LabError(f"{database} could not be asked about {', '.join(skipped)}")
    for package in found:
        for known in package["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "none yet"
            yield f"{package['name']} {package['version']}", known["id"], mended
