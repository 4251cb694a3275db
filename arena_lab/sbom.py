"""What the image holds, as a list of packages that other tools read: CycloneDX, in JSON.

The image itself is asked, and not the lock: Python's packages by their metadata, Debian's by dpkg.
The same image gives the same list to the byte.
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from arena_lab import image
from arena_lab.errors import LabError
from arena_lab.paths import write_atomically

# Runs in the image, whose Python has packaging.
_PROGRAM = """
import json, re, subprocess
from importlib.metadata import distributions
from packaging.requirements import Requirement

def licence(data):
    known = [c.split(" :: ")[-1] for c in data.get_all("Classifier", []) if c[:9] == "License :"]
    said = [data.get("License-Expression"), *known, data.get("License")]
    # Some put the whole text there.
    return next((text for text in said if text and len(text) < 80 and text != "OSI Approved"), "")

def needs(lines):
    wanted = map(Requirement, lines or [])
    return [w.name for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})]

python = [
    {"name": d.metadata["Name"], "version": d.version, "licence": licence(d.metadata),
     "needs": needs(d.requires)}
    for d in distributions()
]
fields = "${Package}\\t${Version}\\t${Architecture}\\n"
debian = subprocess.run(["dpkg-query", "-W", "-f", fields], capture_output=True, text=True).stdout
print(json.dumps({"python": python, "debian": [row.split("\\t") for row in debian.splitlines()]}))
"""


def write(path: Path, name: str) -> int:
    """Write the list of an image's packages, and give how many there are.

    Raises:
        LabError: There is no Docker, no such image, or the image does not answer.
    """
    image.docker_info()
    said = image.capture(["docker", "image", "inspect", name])
    if said.returncode:
        raise LabError(f"there is no image {name} yet; build it first: ./inv build")
    bill = _bill(name, json.loads(said.stdout)[0], _ask(name))
    text = make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text + "\n")
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}") from None
    return len(bill.components)


def _ask(name: str) -> dict[str, Any]:
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint=python", name, "-Ic"]
    done = subprocess.run([*command, _PROGRAM], capture_output=True, encoding="utf-8")
    if done.returncode:
        last = (done.stderr.strip() or "?").splitlines()[-1]
        raise LabError(f"{name} does not tell its packages: {last}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _bill(name: str, inspected: dict[str, Any], found: dict[str, Any]) -> Bom:
    digest, made = inspected["Id"], inspected["Created"][:19] + "+00:00"
    whole = Component(
        name=name.partition(":")[0], version=digest, type=ComponentType.CONTAINER, bom_ref="image"
    )
    bill = Bom(
        serial_number=uuid5(NAMESPACE_OID, digest),
        metadata=BomMetaData(component=whole, timestamp=datetime.fromisoformat(made)),
    )
    python = {_plain(row["name"]): _python_package(row) for row in found["python"]}
    bill.components = [*python.values(), *_debian_packages(found["debian"])]
    bill.register_dependency(whole, bill.components)
    for row in found["python"]:
        needed = [python[_plain(other)] for other in row["needs"] if _plain(other) in python]
        bill.register_dependency(python[_plain(row["name"])], needed)
    return bill


def _python_package(row: dict[str, Any]) -> Component:
    url = PackageURL("pypi", name=_plain(row["name"]), version=row["version"])
    licences = [LicenseFactory().make_from_string(row["licence"])] if row["licence"] else []
    return Component(
        name=row["name"],
        version=row["version"],
        type=ComponentType.LIBRARY,
        licenses=licences,
        purl=url,
        bom_ref=url.to_string(),
    )


def _debian_packages(rows: list[list[str]]) -> Iterator[Component]:
    for package, version, architecture in rows:
        where = {"arch": architecture, "distro": "debian-12"}
        url = PackageURL("deb", "debian", package, version, where)
        yield Component(name=package, version=version, purl=url, bom_ref=url.to_string())


def _plain(name: str) -> str:
    """Write a package's name as indexes do."""
    return name.replace("_", "-").replace(".", "-").lower()
