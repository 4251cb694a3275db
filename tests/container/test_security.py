"""What a lab that runs in the container is allowed, and who gets in."""

import http.cookies
import json
import socket
import stat
import subprocess
import time

import pytest
import websocket

from arena_lab import inside

ANSWERS = "chapter0_fundamentals/exercises/part4_backprop/answers.py"


@pytest.fixture(scope="module")
def container(checkout, lab):
    """What Docker knows of the container of the shared lab."""
    return checkout.container()


# What Compose asks for


def test_only_this_machine_reaches_the_port(container, lab):
    bindings = container["HostConfig"]["PortBindings"]
    assert bindings == {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(lab.port)}]}


def test_other_addresses_of_this_machine_refuse(container, lab):
    (network,) = container["NetworkSettings"]["Networks"].values()
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex((network["Gateway"], lab.port)) != 0


def test_container_runs_as_the_owner_of_the_checkout(container, checkout):
    assert container["Config"]["User"] == f"{checkout.user}:{checkout.user}"
    assert checkout.shell("id -u; id -g").split() == [str(checkout.user)] * 2


def test_user_has_no_capability_and_gains_none(container, checkout):
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
    lines = checkout.shell("cat /proc/self/status").splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_nothing_is_shared_with_the_host_but_the_checkout(container, checkout):
    host = container["HostConfig"]
    assert not host["Privileged"]
    assert [host[mode] for mode in ("PidMode", "UTSMode", "UsernsMode")] == ["", "", ""]
    assert host["IpcMode"] in ("private", "shareable")
    assert [(mount["Type"], mount["Source"]) for mount in container["Mounts"]] == [
        ("bind", str(checkout.folder))
    ]


@pytest.mark.parametrize("path", ["/x", "/etc/x", "/opt/venv/x", "/usr/x", "/var/tmp/x"])
def test_root_file_system_is_read_only(container, checkout, path):
    assert container["HostConfig"]["ReadonlyRootfs"]
    said = checkout.shell(f"touch {path}", check=False)
    assert "Read-only file system" in said or "Permission denied" in said


def test_even_where_everybody_may_write_the_root_is_read_only(checkout, lab):
    assert "Read-only file system" in checkout.shell("touch /var/tmp/x", check=False)


@pytest.mark.parametrize("path", ["/tmp/x", "/home/learner/x", "/lab/.lab/x", "/dev/shm/x"])
def test_what_has_to_be_writable_is(checkout, lab, path):
    checkout.shell(f"touch {path} && rm {path}")


def limit(checkout, first: str, second: str) -> int:
    """Read a limit of the container's control group, of version 1 or 2."""
    return int(checkout.shell(f"cd /sys/fs/cgroup; cat {first} {second} 2>/dev/null || true"))


def test_processes_are_limited(container, checkout):
    assert container["HostConfig"]["PidsLimit"] == 4096
    assert limit(checkout, "pids/pids.max", "pids.max") == 4096


def test_memory_is_limited(container, checkout, engine):
    given = container["HostConfig"]["Memory"]
    assert 0 < given <= engine["MemTotal"] * 3 // 4
    assert limit(checkout, "memory/memory.limit_in_bytes", "memory.max") == given


def test_orphans_are_cleared_away(container, checkout):
    assert container["HostConfig"]["Init"]
    checkout.shell("(sleep 0.1 &) ; sleep 0.5")
    states = checkout.shell("cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | cut -c1")
    assert "Z" not in states.split()


def test_batches_have_two_gigabytes_to_travel_through(container, checkout):
    assert container["HostConfig"]["ShmSize"] == 2 << 30
    assert checkout.shell("df --output=size -B1 /dev/shm | tail -1") == str(2 << 30)


def test_docker_says_that_the_lab_is_healthy(checkout, lab):
    deadline = time.monotonic() + 60
    while (health := checkout.container()["State"]["Health"])["Status"] == "starting":
        assert time.monotonic() < deadline, health
        time.sleep(0.5)
    assert health["Status"] == "healthy", health


# Who gets in


@pytest.mark.parametrize("path", ["/api/contents", "/api/kernels", "/api/terminals"])
@pytest.mark.parametrize("token", ["", "0" * 48], ids=["without", "wrong"])
def test_without_the_token_the_api_is_closed(lab, path, token):
    assert lab.ask("GET", path, token=token)[0] == 403


@pytest.mark.parametrize("path", ["/lab", "/site/"])
def test_without_the_token_a_page_leads_to_the_login(lab, path):
    status, headers, _ = lab.ask("GET", path, token="")
    assert status == 302
    assert headers["Location"].startswith("/login")


@pytest.mark.parametrize("path", ["/lab", "/site/", "/api/contents"])
def test_with_the_token_everything_opens(lab, path):
    assert lab.ask("GET", path)[0] == 200


def test_another_host_name_is_refused_even_with_the_token(lab):
    assert lab.ask("GET", "/lab", headers={"Host": "evil.example"})[0] == 403


@pytest.mark.parametrize("path", ["/api/events/subscribe", "/site/_stcore/stream"])
def test_a_page_from_elsewhere_opens_no_socket(lab, path):
    address = f"127.0.0.1:{lab.port}"
    _, headers, _ = lab.ask("GET", f"/lab?token={lab.token}", token="")
    cookie = "; ".join(line.split(";")[0] for line in headers.get_all("Set-Cookie"))
    given = {"header": {"Cookie": cookie}, "redirect_limit": 0, "timeout": 60}
    url = f"ws://{address}{path}"
    websocket.create_connection(url, origin=f"http://{address}", **given).close()
    with pytest.raises(websocket.WebSocketException, match="403"):
        websocket.create_connection(url, origin="http://evil.example", **given)


def test_token_is_for_its_owner_alone(checkout, lab):
    file = checkout.folder / ".lab" / "token"
    assert file.read_text() == lab.token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_uid == checkout.user


def test_token_stands_in_no_setting_or_command_line(container, checkout, lab):
    assert lab.token not in json.dumps(container)
    lines = checkout.shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "invoke lab" in lines
    assert lab.token not in lines


# What a learner does


def test_cell_runs_torch(lab):
    assert lab.run_cell("import torch; print(int(torch.ones(2, 3).sum()))") == "6"


def test_cell_finds_the_sections(lab):
    said = lab.run_cell("import part4_backprop.tests as tests; print(tests.__name__)")
    assert said == "part4_backprop.tests"


def test_workers_hand_batches_over(lab):
    said = lab.run_cell(
        "import torch\n"
        "from torch.utils.data import DataLoader\n"
        "data = torch.arange(8.0).reshape(8, 1).expand(8, 1 << 20).contiguous()\n"
        "print([int(x[0, 0]) for x in DataLoader(data, batch_size=4, num_workers=2)])"
    )
    assert said.splitlines()[-1] == "[0, 4]"


def test_file_that_a_cell_writes_belongs_to_the_learner(checkout, lab):
    assert lab.run_cell("open('/lab/written.txt', 'w').write('x'); print('done')") == "done"
    assert checkout.owner("written.txt") == checkout.user


def test_notebook_is_saved_after_the_site_was_opened(checkout, lab):
    jar = http.cookies.SimpleCookie()

    def browse(method, path, body=None, **headers):
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
        sent = {"Cookie": cookie, **headers}
        status, answer, text = lab.ask(method, path, body, token="", headers=sent)
        for line in answer.get_all("Set-Cookie") or []:
            jar.load(line)
        return status, text

    assert browse("GET", f"/lab?token={lab.token}")[0] == 200
    assert browse("GET", "/site/")[0] == 200
    assert browse("GET", "/site/_stcore/health")[0] == 200
    path = f"/api/contents/{ANSWERS}"
    status, text = browse("GET", f"{path}?type=notebook")
    assert status == 200
    model = json.loads(text)
    model["content"]["cells"].append(
        {"cell_type": "code", "source": "# mine", "metadata": {}, "outputs": []}
    )
    given = {"type": "notebook", "format": "json", "content": model["content"]}
    status, text = browse("PUT", path, given, **{"X-XSRFToken": jar["_xsrf"].value})
    assert status == 200, text
    assert (checkout.folder / ANSWERS).read_text().endswith("# %%\n# mine\n")
    assert checkout.owner(ANSWERS) == checkout.user


def test_answers_of_a_section_are_checked(checkout, lab):
    said = checkout.shell("invoke test --section 0.4 --solutions", check=False)
    assert said.splitlines()[-1].endswith(" passed, 0 failed")


def test_verdicts_belong_to_the_learner(checkout, lab):
    checkout.shell("invoke test --section 0.4", check=False)
    assert checkout.owner(".lab/verdicts/0.4.json") == checkout.user


def test_doctor_finds_the_container_fit(checkout, lab):
    said = json.loads(checkout.shell("invoke doctor --json"))
    assert [f for f in said["findings"] if f["status"] != "PASS"] == []
    assert {f["name"] for f in said["findings"]} == set(inside.CHECKS)
    (link,) = (f["reason"] for f in said["findings"] if f["name"] == "JupyterLab")
    assert link == f"http://127.0.0.1:{lab.port}/lab?token={lab.token}"


def test_doctor_on_the_host_asks_the_container_too(checkout, lab):
    said = json.loads(checkout.inv("doctor", "--json").stdout)
    named = {f["name"]: f["status"] for f in said["findings"]}
    assert {named[f"inside: {name}"] for name in inside.CHECKS} == {"PASS"}
    assert named["Docker"] == named["Compose"] == named["builder"] == named["port"] == "PASS"


def test_doctor_tells_an_image_that_is_older_than_the_lock(checkout, lab):
    lock = checkout.folder / "requirements.txt"
    before = lock.read_text()
    lock.write_text(before + "nothing-of-the-kind==1.0\n")
    said = json.loads(checkout.shell("invoke doctor --json", check=False))
    lock.write_text(before)
    (finding,) = (f for f in said["findings"] if f["status"] != "PASS")
    assert finding["status"] == "FAIL"
    assert finding["reason"] == "the image is not of this lock (nothing-of-the-kind)"
    assert finding["mend"] == "on the host: ./inv build"


def test_lab_is_stopped_by_a_signal_that_it_obeys(another):
    another.up()
    name = another.container()["Id"]
    another.compose("stop")
    done = subprocess.run(
        ["docker", "inspect", "--format={{.State.ExitCode}}", name], capture_output=True, text=True
    )
    assert done.stdout.strip() != "137"  # killed, after ten seconds of patience
