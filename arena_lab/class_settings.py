"""The settings of a class: lines ARENA_LAB_CLASS_* in deploy/server/.env, or in the environment.

Runs on the host before there is an environment: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from arena_lab import compose, image
from arena_lab.errors import LabError

_PREFIX = "ARENA_LAB_CLASS_"
# Written by ./inv class up, read by Compose and the hub.
_OURS = {"ARENA_LAB_CLASS_NAME", "ARENA_LAB_CLASS_SOCKET", "ARENA_LAB_CLASS_PROXY_USER"}
# What else reaches the hub or the learners, from the same places or the checkout's own .env.
_HANDED_ON = (
    *("ARENA_LAB_DATA_MIRROR", "ARENA_LAB_OFFLINE", "ARENA_LAB_REPOSITORY", "HF_ENDPOINT"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_CALLBACK_URL"),
    *("OAUTH2_AUTHORIZE_URL", "OAUTH2_TOKEN_URL", "OAUTH2_USERDATA_URL"),
)
_LOGINS = ("github", "gitlab", "google", "azuread", "bitbucket", "cilogon", "generic-oauth")
_LEAST_MEMORY = 512 << 20
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True)
class Settings:
    """Those of one class, each of them looked at.

    Attributes:
        values: What is set, by the variable's name.
        key_owner: Who may read the certificate's key, "user:group".
    """

    values: Mapping[str, str]
    bind: str
    port: int
    key_owner: str

    @property
    def has_tls(self) -> bool:
        """Whether the proxy has a certificate."""
        return bool(self.values.get(_PREFIX + "CERTIFICATE"))

    @property
    def is_private(self) -> bool:
        """Whether only this machine reaches the proxy."""
        return ipaddress.ip_address(self.bind).is_loopback


def read(path: Path) -> Settings:
    """Read the settings, from the environment and from the file.

    Raises:
        LabError: One of them is wrong, or is none, or is set twice and not alike.
    """
    given = dict(image.assignments(compose.others_lines(path)))
    for name, value in os.environ.items():
        if name.startswith(_PREFIX) and given.setdefault(name, value) != value:
            raise LabError(f"{name} is {value} in the environment and {given[name]} in {path}")
    values = {}
    for name, value in given.items():
        if name.startswith(_PREFIX) and value:
            values[name] = _checked(name, value)
    for name in _HANDED_ON:
        if value := os.environ.get(name) or given.get(name) or image.setting(name):
            values[name] = value
    _check_together(values)
    return Settings(
        values=values,
        bind=values.get(_PREFIX + "BIND", "127.0.0.1"),
        port=int(values.get(_PREFIX + "PORT", "8000")),
        key_owner=_key_owner(values.get(_PREFIX + "KEY")),
    )


def url(settings: Settings) -> str:
    """Give the address that learners open."""
    host = settings.bind
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"{'https' if settings.has_tls else 'http'}://{host}:{settings.port}"


def _checked(name: str, value: str) -> str:
    if name in _OURS:
        raise LabError(f"{name} is set by ./inv class up itself; take your line away")
    if name not in _CHECKS:
        known = ", ".join(other[len(_PREFIX) :] for other in _CHECKS)
        raise LabError(f"there is no setting {name}; behind {_PREFIX} can stand {known}")
    try:
        problem = _CHECKS[name](value)
    except (ValueError, RuntimeError) as error:  # the latter: a home of nobody
        problem = str(error)
    except OSError as error:
        problem = f"it cannot be looked at: {error.strerror}; run this as somebody who may"
    if problem:
        raise LabError(f"{name}={value}: {problem}")
    # Docker wants it whole.
    return str(Path(value).expanduser().resolve()) if _CHECKS[name] is _file else value


def _address(value: str) -> str:
    if ipaddress.ip_address(value).version != 4:
        return "an IPv4 address is wanted"
    with socket.socket() as probe:
        try:
            probe.bind((value, 0))
        except OSError:
            return "this machine has no such address"
    return ""


def _port(value: str) -> str:
    fits = value.isdecimal() and 0 < int(value) < 65536
    return "" if fits else "a port is a number up to 65535"


def _memory(value: str) -> str:
    match = re.fullmatch(r"(\d+)([kmgt]?)b?", value.lower())
    if not match:
        return "write it as 4g or 2500m"
    enough = int(match[1]) * _UNITS[match[2]] >= _LEAST_MEMORY
    return "" if enough else "less than 512m does not hold torch"


def _processors(value: str) -> str:
    return "" if 0 < float(value) <= 1024 else "a number of processor cores, such as 1.5"


def _processes(value: str) -> str:
    fits = value.isdecimal() and int(value) >= 64
    return "" if fits else "a number from 64 on; JupyterLab and a test run take some dozens"


def _minutes(value: str) -> str:
    return "" if 0 <= float(value) < float("inf") else "minutes, or 0 for never"


def _yes_or_no(value: str) -> str:
    return "" if value in ("0", "1") else "1 or 0"


def _subnets(value: str) -> str:
    network = ipaddress.ip_network(value)
    fits = network.version == 4 and network.is_private and network.prefixlen <= 24
    return "" if fits else "a private network of at least /24, such as 10.213.0.0/16"


def _file(value: str) -> str:
    return "" if Path(value).expanduser().is_file() else "there is no such file"


def _driver(value: str) -> str:
    return "" if value in ("nvidia", "cdi") else "nvidia or cdi"


def _login(value: str) -> str:
    return "" if value in _LOGINS else f"one of {', '.join(_LOGINS)}"


def _anything(value: str) -> str:
    return ""


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "ARENA_LAB_CLASS_BIND": _address,
    "ARENA_LAB_CLASS_PORT": _port,
    "ARENA_LAB_CLASS_CERTIFICATE": _file,
    "ARENA_LAB_CLASS_KEY": _file,
    "ARENA_LAB_CLASS_MEMORY": _memory,
    "ARENA_LAB_CLASS_CPUS": _processors,
    "ARENA_LAB_CLASS_PROCESSES": _processes,
    "ARENA_LAB_CLASS_IDLE_MINUTES": _minutes,
    "ARENA_LAB_CLASS_INTERNET": _yes_or_no,
    "ARENA_LAB_CLASS_SUBNETS": _subnets,
    "ARENA_LAB_CLASS_GPUS": _anything,
    "ARENA_LAB_CLASS_GPU_DRIVER": _driver,
    "ARENA_LAB_CLASS_LOGIN": _login,
    "ARENA_LAB_CLASS_OAUTH_NAME": _anything,
}


def _check_together(values: Mapping[str, str]) -> None:
    if (_PREFIX + "CERTIFICATE" in values) != (_PREFIX + "KEY" in values):
        raise LabError(f"TLS needs both {_PREFIX}CERTIFICATE and {_PREFIX}KEY")
    wanted = ["OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_CALLBACK_URL"]
    login = values.get(_PREFIX + "LOGIN")
    if login == "generic-oauth":
        wanted += ["OAUTH2_AUTHORIZE_URL", "OAUTH2_TOKEN_URL", "OAUTH2_USERDATA_URL"]
    if missing := [name for name in wanted if login and name not in values]:
        raise LabError(f"{_PREFIX}LOGIN={login} needs {', '.join(missing)} too")


def _key_owner(key: str | None) -> str:
    """Tell who may read the key; where there is none, nobody in particular."""
    if key is None:
        return "65534:65534"
    found = Path(key).stat()
    return f"{found.st_uid}:{found.st_gid}"
