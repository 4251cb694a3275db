"""The hub of a class. Every setting comes from .env; `./inv class up` has looked at each.

What else JupyterHub can do goes into config.py in this folder, which is read last.
"""

import math
import os
import sys
from pathlib import Path

from docker.types import DeviceRequest
from login import authenticator
from spawner import HUB, LearnerSpawner

c = get_config()  # noqa: F821


def setting(name: str, default: str = "") -> str:
    """Give a setting of the class."""
    return os.environ.get(f"ARENA_LAB_CLASS_{name}") or default


# What is here outlives the container: accounts, passwords, sessions, who is running.
c.JupyterHub.db_url = "sqlite:////data/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/data/cookie_secret"
c.FirstUseAuthenticator.dbm_path = "/data/passwords"

# The hub may be restarted: proxy and learners go on, and it finds them again.
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = "hub"
c.ConfigurableHTTPProxy.should_start = False
# A proxy that is started anew knows no way until the hub looks after it.
c.JupyterHub.last_activity_interval = 30
c.ConfigurableHTTPProxy.api_url = "http://proxy:8001"
c.JupyterHub.authenticator_class = authenticator(setting("LOGIN"))
c.Authenticator.allow_all = False
# Whom the file lists: JupyterHub would warn that nobody is.
c.Authenticator.any_allow_config = True
c.Authenticator.auth_refresh_age = 10
c.Authenticator.refresh_pre_spawn = True
c.FirstUseAuthenticator.min_password_length = 8
c.GenericOAuthenticator.username_claim = setting("OAUTH_NAME", "preferred_username")

c.JupyterHub.spawner_class = LearnerSpawner
# A whole class comes in the same minute.
c.JupyterHub.concurrent_spawn_limit = 40
c.JupyterHub.implicit_spawn_seconds = 1
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 300
c.Spawner.default_url = "/lab"
c.Spawner.hub_connect_url = f"http://{HUB}:8081"
c.Spawner.environment = {
    name: os.environ[name]
    for name in (
        *("ARENA_LAB_DATA_MIRROR", "ARENA_LAB_OFFLINE", "ARENA_LAB_REPOSITORY", "HF_ENDPOINT"),
        *("HTTP_PROXY", "HTTPS_PROXY"),
    )
    if os.environ.get(name)
}
# The hub is not to be looked for behind a proxy.
c.Spawner.environment["NO_PROXY"] = ",".join(
    filter(None, [os.environ.get("NO_PROXY"), HUB, "127.0.0.1", "localhost"])
)

cores = float(setting("CPUS", "2"))
# torch would start a thread for each core of the machine, and the limit then halt them in turn.
c.Spawner.environment["OMP_NUM_THREADS"] = str(math.ceil(cores))

name = setting("NAME")
c.LearnerSpawner.class_name = name
c.LearnerSpawner.subnets = setting("SUBNETS", "10.213.0.0/16")
c.LearnerSpawner.internet = setting("INTERNET", "1") != "0"
c.DockerSpawner.image = "arena-lab:learner"
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.prefix = f"{name}-learner"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.volumes = {"{prefix}-{username}": "/lab"}
c.DockerSpawner.mem_limit = setting("MEMORY", "4g").upper()
c.DockerSpawner.cpu_limit = cores
c.DockerSpawner.extra_create_kwargs = {
    "user": "1000:1000",
    "labels": {"arena-lab.class": name, "arena-lab.learner": "{raw_username}"},
}
c.DockerSpawner.extra_host_config = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "read_only": True,
    "tmpfs": {"/tmp": "exec,mode=1777", "/home/learner": "exec,mode=1777"},
    "init": True,
    "pids_limit": int(setting("PROCESSES", "1024")),
    # Batches travel between a DataLoader's workers through /dev/shm.
    "shm_size": "1g",
}
if gpus := setting("GPUS"):
    driver = setting("GPU_DRIVER", "nvidia")
    wanted = (
        {"count": -1} if gpus == "all" and driver == "nvidia" else {"device_ids": gpus.split(",")}
    )
    c.DockerSpawner.extra_host_config["device_requests"] = [
        DeviceRequest(driver=driver, capabilities=[["gpu"]], **wanted)
    ]

if minutes := float(setting("IDLE_MINUTES", "120")):
    every = max(5, min(300, round(minutes * 15)))
    c.JupyterHub.services = [
        {
            "name": "culler",
            "command": [
                *(sys.executable, "-m", "jupyterhub_idle_culler"),
                *(f"--timeout={minutes * 60:.0f}", f"--cull-every={every}"),
            ],
        }
    ]
    c.JupyterHub.load_roles = [
        {
            "name": "culler",
            "services": ["culler"],
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        }
    ]

more = Path("/srv/class/config.py")
if more.is_file():
    load_subconfig(str(more))  # noqa: F821
