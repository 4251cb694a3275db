"""How `doctor` asks a machine; what it makes of the answers is in `machine`.

Standard library only, and Python 3.9 or later: this runs before there is a lab.
"""

from __future__ import annotations

import http.client
import os
import platform
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from arena_lab import gpu, hosts, image, ports
from arena_lab.machine import SETTINGS, Machine, port_of
from arena_lab.paths import ROOT, STATE
from arena_lab.programs import Output, ask, in_time

_PATIENCE_S = 3


def look() -> Machine:
    """Ask this machine; nothing is waited for longer than a few seconds."""
    # A thread for each question, so that those without an answer are waited for at once.
    with ThreadPoolExecutor(16) as pool:
        docker = pool.submit(_run, "docker", "info", "--format", "{{json .}}")
        version = pool.submit(_run, "docker", "--version")
        compose = pool.submit(_compose_version)
        buildx = pool.submit(_run, "docker", "buildx", "version")
        pythons = pool.submit(_pythons)
        context, problem = _context()
        answers = {what: pool.submit(_reach, url, context) for what, url in _hosts().items()}
        evidence = pool.submit(gpu.look, {}, _PATIENCE_S)
        info = gpu.parse_info(docker.result().text)
        reached = {what: answer.result() for what, answer in answers.items()}
    settings = {name: value for name in SETTINGS if (value := image.setting(name))}
    port = port_of(settings)
    skews = [skew for _, skew in reached.values() if skew is not None]
    return Machine(
        system=platform.system(),
        arch=platform.machine(),
        kernel=platform.release(),
        pythons=pythons.result(),
        venv=_venv(),
        free_gb=shutil.disk_usage(ROOT).free / 1e9,
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        writable=os.access(ROOT, os.W_OK),
        owner=ROOT.stat().st_uid,
        root=str(ROOT),
        mounts=image.read(Path("/proc/mounts")),
        docker=docker.result(),
        version=version.result(),
        compose=compose.result(),
        buildx=buildx.result(),
        port=port or 0,
        holder=_holder(port, docker=image.answers(docker.result())) if port else "",
        settings=settings,
        certificates=problem,
        reached={what: why for what, (why, _) in reached.items()},
        skew_s=skews[0] if skews else None,
        docker_free_gb=_free_gb(str(info.get("DockerRootDir", ""))),
        missing=tuple(_without_answers()),
        token_mode=_mode(STATE / "token"),
        gpu=replace(evidence.result(), docker=info, cdi=gpu.specifications(info)),
    )


def _run(*command: str) -> Output:
    return ask(command, _PATIENCE_S)


def _compose_version() -> Output:
    plugin = _run("docker", "compose", "version")
    return _run("docker-compose", "version") if plugin.status else plugin


def _pythons() -> tuple[str, ...]:
    say = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    outputs = (_run(name, "-c", say) for name in ("python3.11", "python3", "python"))
    return tuple(dict.fromkeys(done.text.strip() for done in outputs if done.status == 0))


def _venv() -> str:
    """Tell what ./inv would make of the environment, as its `is_ready` does."""
    folder = ROOT / ".venv"
    if not folder.exists():
        return "none"
    parts = [folder / part for part in ("bin/python", "bin/invoke", ".holds-requirements.txt")]
    if (folder / ".unfinished").exists() or not all(part.exists() for part in parts):
        return "unfinished"
    lock = b"".join((ROOT / name).read_bytes() for name in ("requirements.txt", "pyproject.toml"))
    total = subprocess.run(["cksum"], input=lock, capture_output=True).stdout.decode().strip()
    return "ready" if image.read(parts[-1]).strip() == f"{total} {ROOT}" else "outdated"


def _free_gb(folder: str) -> float | None:
    try:
        return shutil.disk_usage(folder).free / 1e9
    except OSError:
        return None


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return None


def _without_answers() -> Iterator[str]:
    for solutions in sorted(ROOT.glob("chapter*/exercises/*/solutions.py")):
        if not (solutions.parent / "answers.py").exists():
            yield solutions.parent.name


def _holder(port: int, *, docker: bool) -> str:
    """Say who has a port: nothing where it is free, "the lab" where it is ours.

    Args:
        port: Of this machine.
        docker: Whether Docker answers, and can be asked too.
    """
    if ports.is_free(port):
        return ""
    is_ours = ports.serves_lab(port, docker=docker)
    return "the lab" if is_ours else ports.who_has(port, docker=docker)


def _hosts() -> dict[str, str]:
    """Give what is fetched from elsewhere, and from where."""
    if image.setting("ARENA_LAB_OFFLINE") not in ("", "0"):
        return {}
    index = os.environ.get("UV_DEFAULT_INDEX") or image.pip_config().get("index-url")
    mirror = image.setting("ARENA_LAB_DATA_MIRROR")
    data = {**hosts.DATA, "CelebA": image.setting("HF_ENDPOINT") or hosts.HUB}
    if mirror:
        data = dict.fromkeys(data, mirror)
    return {"packages": index or hosts.PACKAGES, **data}


def _context() -> tuple[ssl.SSLContext, str]:
    """Give whom to trust, this machine's and the network's; say what is wrong with the latter."""
    context = ssl.create_default_context()
    named = image.setting("ARENA_LAB_CA") or image.pip_config().get("cert")
    if not named:
        return context, ""
    try:
        context.load_verify_locations(Path(named).expanduser())
    except FileNotFoundError:
        return context, f"there are no certificates at {named}"
    except OSError:  # ssl's own is one
        return context, f"{named} holds no certificates that can be read"
    return context, ""


def _reach(url: str, context: ssl.SSLContext) -> tuple[str, float | None]:
    """Ask a host for its head: why it cannot be reached, and this clock less its own."""
    # A host may have many addresses, and urlopen is patient with each.
    answer = in_time(lambda: _head(_without_password(url), context), 2 * _PATIENCE_S)
    return answer or (f"no connection to {_host(url)}", None)


def _head(url: str, context: ssl.SSLContext) -> tuple[str, float | None]:
    try:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "arena-lab"})
        with urllib.request.urlopen(request, timeout=_PATIENCE_S, context=context) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers  # it answers, which is what was asked
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        trusted = not isinstance(reason, ssl.SSLError)
        kind = "no connection to" if trusted else "no trusted certificate of"
        return f"{kind} {_host(url)}", None
    try:
        return "", time.time() - parsedate_to_datetime(headers["Date"]).timestamp()
    except (TypeError, ValueError):
        return "", None


def _without_password(url: str) -> str:
    """Give an address that urllib takes, and that may be shown."""
    scheme, slashes, rest = url.rpartition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{place.rpartition('@')[2]}{slash}{path}"


def _host(url: str) -> str:
    try:
        return urlsplit(_without_password(url)).hostname or _without_password(url)
    except ValueError:
        return _without_password(url).partition("://")[2]
