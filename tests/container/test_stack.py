"""./inv up, down, shell and plain Compose, as they work together."""

import dataclasses
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

# Who Compose runs the container as where nobody has told it.
DEFAULT_USER = 1000


@pytest.fixture(scope="module")
def started(checkout, lab):
    """A checkout with its lab, for tests that leave both as they are."""
    return checkout, lab


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


# Starting


def test_up_says_which_way_it_starts_and_why(started):
    checkout, _ = started
    said = checkout.inv("up", "--cpu").stdout.splitlines()
    assert said[0].startswith("CPU: ")


def test_up_again_leaves_a_running_lab_alone(started):
    checkout, lab = started
    before = checkout.container()["Id"]
    assert checkout.up() == lab
    assert checkout.container()["Id"] == before


def test_lab_is_the_same_by_another_name_of_its_folder(another, tmp_path):
    (tmp_path / "link").symlink_to(another.folder)
    linked = dataclasses.replace(another, folder=tmp_path / "link")
    lab = linked.up(PWD=str(linked.folder))
    before = another.container()["Id"]
    assert another.up(PWD=str(another.folder)) == lab
    assert another.container()["Id"] == before
    assert another.inv("shell", given="hostname").returncode == 0
    assert another.inv("down").stdout.startswith("Stopped")


def test_up_leaves_nothing_of_root_in_the_checkout(started):
    checkout, _ = started
    own = {checkout.user}
    paths = [checkout.folder, *checkout.folder.rglob("*")]
    assert {path.lstat().st_uid for path in paths if path.name != "__pycache__"} == own


def test_second_checkout_gets_a_port_of_its_own(started, another):
    _, lab = started
    beside = another.up()
    assert beside.port != lab.port
    assert beside.token != lab.token
    assert lab.ask("GET", "/api/contents")[0] == 200


def test_port_that_a_process_has_is_not_taken(another):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = another.inv("up", "--port", str(port))
    assert done.returncode == 2
    assert re.fullmatch(
        rf"port {port} is taken by .+; take another: \./inv up --port \d+\n", done.stderr
    )


def test_port_that_a_container_has_is_named_by_the_container(started, another):
    checkout, lab = started
    done = another.inv("up", "--port", str(lab.port))
    name = checkout.container()["Name"].strip("/")
    assert f"port {lab.port} is taken by the container {name}; " in done.stderr


def test_plain_compose_does_the_same_once_env_is_there(another):
    lab = another.up()
    before = another.container()["HostConfig"]
    another.compose("down")
    another.compose("up", "--detach", "--wait")
    assert lab.ask("GET", "/api/contents")[0] == 200
    assert another.container()["HostConfig"] == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a checkout to somebody")
def test_plain_compose_builds_and_starts_for_the_usual_first_user(
    make_checkout, image_name, docker
):
    checkout = make_checkout(DEFAULT_USER)
    settings = {"ARENA_LAB_IMAGE": "arena-lab:plain", "ARENA_LAB_PORT": free_port()}
    done = checkout.compose("up", "--detach", "--wait", **settings)
    assert "Pulling" not in done.stdout + done.stderr
    token = (checkout.folder / ".lab" / "token").read_text()
    assert f"/lab?token={token}" in checkout.compose("logs", "lab").stdout
    assert checkout.owner(".lab/token") == DEFAULT_USER
    checkout.compose("down")
    docker("image", "rm", "arena-lab:plain")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a checkout to somebody")
def test_plain_compose_without_env_tells_another_user_what_to_do(another):
    done = another.compose("up", "--no-log-prefix", check=False, ARENA_LAB_PORT=free_port())
    said = f"set ARENA_LAB_UID={another.user} and ARENA_LAB_GID={another.user} in .env"
    assert said in done.stdout + done.stderr


# A network with certificates of its own


@pytest.fixture
def private_server(docker, tmp_path):
    """An HTTPS server on Docker's bridge; gives its address and the certificate to trust."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    ip = docker("network", "inspect", "bridge", "--format={{(index .IPAM.Config 0).Gateway}}")
    names = ("-subj", "/CN=lab", "-addext", f"subjectAltName=IP:{ip.strip()}")
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.pem"
    files = ("-keyout", key, "-out", certificate)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    server = http.server.HTTPServer((ip.strip(), 0), http.server.SimpleHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://{ip.strip()}:{server.server_port}/", certificate
    server.shutdown()
    server.server_close()


FETCH = {
    "requests": "import requests; print(requests.get('{}').status_code)",
    "urllib": "import urllib.request as r; print(r.urlopen('{}').status)",
}


def test_certificates_of_the_network_are_trusted_inside(another, private_server):
    address, certificate = private_server
    another.up(ARENA_LAB_CA=str(certificate))
    for program in FETCH.values():
        assert another.shell(f'python -c "{program.format(address)}"') == "200"


def test_other_certificates_are_not_trusted(started, private_server):
    checkout, _ = started
    for program in FETCH.values():
        said = checkout.shell(f'python -c "{program.format(private_server[0])}"', check=False)
        assert "CERTIFICATE_VERIFY_FAILED" in said


# Using and stopping


def test_shell_is_the_learners_in_the_container(started):
    checkout, _ = started
    done = checkout.inv("shell", given="id -u; pwd; command -v invoke; touch made\n")
    assert done.stdout.split() == [str(checkout.user), "/lab", "/opt/venv/bin/invoke"]
    assert checkout.owner("made") == checkout.user


def test_shell_gives_the_status_of_what_ran(started):
    checkout, _ = started
    assert checkout.inv("shell", given="exit 7\n").returncode == 7


def test_inv_inside_runs_tasks_and_refuses_to_start_another_lab(started):
    checkout, _ = started
    assert "0.4" in checkout.shell("./inv list")
    assert "this is inside the container" in checkout.shell("python -m arena_lab.compose up; true")


def test_down_removes_the_container_and_keeps_the_rest(another):
    lab = another.up()
    another.shell("echo '# mine' >> chapter0_fundamentals/exercises/part4_backprop/answers.py")
    done = another.inv("down")
    assert done.stdout == f"Stopped; answers and data are in {another.folder}.\n"
    assert another.container() == {}
    assert another.up() == lab
    answers = another.folder / "chapter0_fundamentals/exercises/part4_backprop/answers.py"
    assert answers.read_text().endswith("# mine\n")


def test_down_finds_the_lab_without_env(another, docker):
    another.up()
    name = another.container()["Id"]
    (another.folder / ".env").unlink()
    another.inv("down")
    assert name not in docker("ps", "--all", "--quiet", "--no-trunc")


def test_down_says_that_nothing_runs(another):
    assert another.inv("down").stdout == "The lab is not running.\n"


# A GPU, emulated: that it is asked for and handed over is all that can be seen without one

DRIVER = "/usr/lib/arena-lab-emulated-driver"


@pytest.fixture
def gpu_tools(tmp_path):
    """A PATH with an nvidia-smi that has a recorded answer."""
    machine = Path(__file__).parents[1] / "fixtures" / "gpu" / "cdi_only"
    script = f'#!/bin/sh\ncase $1 in\n*compute_cap*) cat "{machine}/capabilities.txt";;\n'
    program = tmp_path / "nvidia-smi"
    program.write_text(f'{script}*) cat "{machine}/gpus.txt";;\nesac\n')
    program.chmod(0o755)
    return tmp_path


def path(folder: Path) -> str:
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture
def cdi_device(engine, tmp_path):
    """A made-up device under the name of NVIDIA's: a file appears, as the driver's would."""
    folders = [Path(folder) for folder in engine.get("CDISpecDirs") or []]
    folder = next((f for f in folders if f.is_dir() and os.access(f, os.W_OK)), None)
    if folder is None:
        pytest.skip("this engine reads no CDI specification from a folder that can be written")
    if shutil.which("nvidia-smi"):
        pytest.skip("there is a real GPU here")
    (tmp_path / "driver").write_text("emulated")
    mount = {"hostPath": str(tmp_path / "driver"), "containerPath": DRIVER, "options": ["bind"]}
    specification = {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "devices": [{"name": "all", "containerEdits": {"mounts": [mount]}}],
    }
    file = folder / "arena-lab-test.json"
    file.write_text(json.dumps(specification))
    yield
    file.unlink()


def test_gpu_that_cdi_describes_is_handed_over(another, gpu_tools, cdi_device):
    done = another.inv("up", PATH=path(gpu_tools))
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "GPU: NVIDIA L4, driver 570.133.20, through CDI."
    assert said[-2].startswith("The container has the GPU, but torch cannot use it")
    assert another.shell(f"cat {DRIVER}") == "emulated"
    # From then on without ./inv.
    another.compose("down")
    another.compose("up", "--detach", "--wait")
    assert another.shell(f"cat {DRIVER}") == "emulated"


def test_gpu_that_is_there_can_be_left_alone(another, gpu_tools, cdi_device):
    done = another.inv("up", "--cpu", PATH=path(gpu_tools))
    assert done.stdout.startswith("CPU: as asked for; there would be a GPU (NVIDIA L4")
    assert "No such file" in another.shell(f"cat {DRIVER}", check=False)


def test_lab_starts_without_a_gpu_that_docker_refuses_to_hand_out(another, gpu_tools, engine):
    if "nvidia" in engine.get("Runtimes", {}):
        pytest.skip("this engine hands GPUs out")
    # The toolkit's hook is there, but the engine was not told.
    hook = gpu_tools / "nvidia-container-runtime-hook"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    done = another.inv("up", PATH=path(gpu_tools))
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "GPU: NVIDIA L4, driver 570.133.20, through the NVIDIA Container Toolkit."
    refusal = r"Docker could not hand the GPU out \(could not select device driver\): "
    assert re.match(refusal + "starting without", said[-2])
    assert "COMPOSE_FILE=docker-compose.yml\n" in (another.folder / ".env").read_text()
    assert another.shell("echo it runs") == "it runs"


# What Compose 1 makes of the files, where it is installed beside


def test_old_compose_understands_the_files(started):
    checkout, _ = started
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("there is no docker-compose here")
    done = subprocess.run(
        [program, "-f", "docker-compose.yml", "-f", "docker-compose.gpu.yml", "config"],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
