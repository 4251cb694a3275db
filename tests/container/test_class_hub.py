"""The hub's image alone, with settings that a class under test cannot have beside its own."""

import http.server
import ipaddress
import json
import os
import socket
import threading
import urllib.parse

import pytest
import requests
import yaml
from classroom import free_port, wait

from arena_lab import classroom as commands
from arena_lab import image
from arena_lab.paths import ROOT


@pytest.fixture(scope="module")
def hub_image(engine):
    """The image of the hub, built as ./inv class up does."""
    name = "arena-lab:hub"
    image.make(name, f"--file={ROOT / 'deploy/server/Dockerfile'}", "--target=hub")
    return name


@pytest.fixture
def provider(docker):
    """Accounts from elsewhere: a server on Docker's bridge that takes everybody at their word."""
    ip = docker("network", "inspect", "bridge", "--format={{(index .IPAM.Config 0).Gateway}}")

    class Handler(http.server.BaseHTTPRequestHandler):
        name = "ann"

        def do_GET(self):
            asked = urllib.parse.urlsplit(self.path)
            if asked.path == "/userinfo":
                token = self.headers["Authorization"].split()[-1]
                return self.answer({"preferred_username": token.removeprefix("token-of-")})
            query = dict(urllib.parse.parse_qsl(asked.query))
            back = urllib.parse.urlencode({"code": self.name, "state": query["state"]})
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{back}")
            self.end_headers()

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            code = dict(urllib.parse.parse_qsl(body))["code"]
            self.answer({"access_token": f"token-of-{code}", "token_type": "bearer"})

        def answer(self, content):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((ip.strip(), 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{ip.strip()}:{server.server_port}", Handler
    server.shutdown()
    server.server_close()


# A hub alone, with the proxy in its container: what config.py says holds last.
ALONE = """
c.ConfigurableHTTPProxy.should_start = True
c.ConfigurableHTTPProxy.command = [
    "/opt/proxy/node",
    "/opt/proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy",
]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
c.JupyterHub.hub_connect_ip = "127.0.0.1"
"""


def test_accounts_from_elsewhere_get_in_where_the_list_has_them(
    hub_image, provider, docker, tmp_path
):
    address, handler = provider
    (tmp_path / "learners.txt").write_text("ann\n")
    (tmp_path / "config.py").write_text(ALONE)
    port = free_port()
    settings = {
        "ARENA_LAB_CLASS_NAME": "alone",
        "ARENA_LAB_CLASS_LOGIN": "generic-oauth",
        "OAUTH_CLIENT_ID": "lab",
        "OAUTH_CLIENT_SECRET": "secret",
        "OAUTH_CALLBACK_URL": f"http://127.0.0.1:{port}/hub/oauth_callback",
        "OAUTH2_AUTHORIZE_URL": f"{address}/authorize",
        "OAUTH2_TOKEN_URL": f"{address}/token",
        "OAUTH2_USERDATA_URL": f"{address}/userinfo",
    }
    given = [f"--env={name}={value}" for name, value in settings.items()]
    published = (f"--publish=127.0.0.1:{port}:8000", f"--volume={tmp_path}:/srv/class:ro")
    hub = docker("run", "--detach", "--rm", *given, *published, hub_image).strip()
    try:
        wait(lambda: _answers(f"http://127.0.0.1:{port}/hub/health"))
        login = f"http://127.0.0.1:{port}/hub/oauth_login?next=/hub/token"
        with requests.Session() as browser:
            answer = browser.get(login)
            assert (answer.status_code, answer.url[-10:]) == (200, "/hub/token")
        handler.name = "mallory"
        with requests.Session() as browser:
            assert browser.get(login).status_code == 403
    finally:
        docker("rm", "--force", hub)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_hub_reads_a_list_that_is_the_teachers_alone(hub_image, docker, tmp_path):
    hub = yaml.safe_load((ROOT / "deploy/server/docker-compose.yml").read_text())["services"]["hub"]
    (tmp_path / "learners.txt").write_text("ann\n")
    for path, mode in ((tmp_path / "learners.txt", 0o600), (tmp_path, 0o700)):
        path.chmod(mode)
        if os.getuid() == 0:
            os.chown(path, 4242, 4242)
    rights = [f"--cap-drop={right}" for right in hub["cap_drop"]]
    rights += [f"--cap-add={right}" for right in hub.get("cap_add", [])]
    program = "from login import FirstLogin; print(FirstLogin().check_allowed('ann'))"
    command = ("--workdir=/opt/class", hub_image, "python3", "-c", program)
    said = docker("run", "--rm", *rights, f"--volume={tmp_path}:/srv/class:ro", *command)
    assert said.strip() == "True"


def test_proxys_program_is_everybodys_to_run(hub_image, docker):
    command = ("--user=65534:65534", "--cap-drop=ALL", hub_image, "test", "-x")
    docker("run", "--rm", *command, "/opt/class/start-proxy")


NETWORKS = """
import json, sys, docker, spawner
class Spawner(spawner.LearnerSpawner):
    client, object_name = docker.APIClient(), sys.argv[1]
    def _labels(self): return {"arena-lab.test": "networks"}
made = Spawner.__new__(Spawner)
made.class_name, made.subnets = sys.argv[1], "10.254.0.0/16"
for made.internet in (True, True, False, False, True):
    made._try_network()
    found = made.client.inspect_network(sys.argv[1])
    print(json.dumps([found["Id"], found["Internal"]]))
    if sys.argv[2:] == [str(found["Internal"])]: break
"""


@pytest.fixture
def learners_network(hub_image, docker):
    """Make the network of a learner as the hub does, with one setting after the other."""
    name = f"arena-lab-test-{os.getpid()}"

    def make(*until: str) -> list[tuple[str, bool]]:
        with_engine = (
            f"--volume={commands._socket()}:/var/run/docker.sock",
            "--workdir=/opt/class",
        )
        command = ("python3", "-c", NETWORKS, name, *until)
        said = docker("run", "--rm", *with_engine, hub_image, *command)
        return [tuple(json.loads(line)) for line in said.splitlines()]

    make.name = name
    yield make
    docker("network", "rm", name)


def test_network_of_a_server_that_died_is_made_anew_with_another_setting(learners_network):
    made = learners_network()
    assert [internal for _, internal in made] == [False, False, True, True, False]
    ids = [network for network, _ in made]
    assert (ids[0] == ids[1], ids[2] == ids[3], len(set(ids))) == (True, True, 3)


def test_without_the_internet_this_machine_is_not_reached_either(
    learners_network, hub_image, docker
):
    learners_network("True")
    name = learners_network.name
    subnet = docker("network", "inspect", name, "--format={{(index .IPAM.Config 0).Subnet}}")
    gateway = str(next(ipaddress.ip_network(subnet.strip()).hosts()))
    with socket.create_server(("0.0.0.0", 0)) as here:
        program = (
            "import socket, sys; probe = socket.socket(); probe.settimeout(3);"
            f"print(probe.connect_ex(({gateway!r}, {here.getsockname()[1]})))"
        )
        said = docker("run", "--rm", f"--network={name}", hub_image, "python3", "-c", program)
    assert said.strip() != "0"


def test_settings_of_the_login_on_kubernetes_are_ones_that_it_knows(hub_image, docker):
    values = yaml.safe_load((ROOT / "deploy/kubernetes/values.yaml").read_text())
    program = (
        "import json; from firstuseauthenticator import FirstUseAuthenticator as Login;"
        "print(json.dumps(Login.class_trait_names(config=True)))"
    )
    known = json.loads(docker("run", "--rm", hub_image, "python3", "-c", program))
    assert set(values["hub"]["config"]["FirstUseAuthenticator"]) - set(known) == set()


@pytest.mark.parametrize(
    ("gpus", "driver", "wanted"),
    [
        ("all", "nvidia", {"Driver": "nvidia", "Count": -1, "DeviceIDs": []}),
        ("0,2", "nvidia", {"Driver": "nvidia", "Count": 0, "DeviceIDs": ["0", "2"]}),
        ("nvidia.com/gpu=all", "cdi", {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}),
    ],
)
def test_learners_are_given_the_gpus_of_the_settings(hub_image, docker, gpus, driver, wanted):
    program = (
        "import json; from traitlets.config import PyFileConfigLoader as Loader;"
        "found = Loader('/opt/class/jupyterhub_config.py').load_config();"
        "print(json.dumps(found.DockerSpawner.extra_host_config['device_requests']))"
    )
    settings = {"NAME": "x", "GPUS": gpus, "GPU_DRIVER": driver}
    given = [f"--env=ARENA_LAB_CLASS_{name}={value}" for name, value in settings.items()]
    said = docker("run", "--rm", *given, hub_image, "python3", "-c", program)
    (request,) = json.loads(said)
    assert request.items() >= {**wanted, "Capabilities": [["gpu"]]}.items()
