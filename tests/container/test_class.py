"""A class as its teacher starts it: the real hub and proxy, and ten learners at once."""

import functools
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import requests
from classroom import Learner, at_once, run, server, wait

NAMES = ["ann", "ben", "cleo", "dan", "eve", "finn", "gina", "hugo", "ines", "jan.o-k"]
PACKAGE = "chapter0_fundamentals/exercises/part0_prereqs"
EXERCISE = "einops_figure_1"
MARKER = "arena-lab-test.invalid"


class Class:
    """A class that runs: its folder, and its learners by name."""

    def __init__(self, folder: Path, learners: list[Learner]) -> None:
        self.folder = folder
        self.learners = {learner.name: learner for learner in learners}
        self.ann, self.ben, self.cleo, self.dan = learners[:4]
        self.said: dict[str, tuple[str, str]] = {}

    @property
    def server(self) -> Path:
        return self.folder / "deploy" / "server"

    @property
    def project(self) -> str:
        lines = (self.server / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)["COMPOSE_PROJECT_NAME"]

    def container(self, who: str) -> str:
        """Give the container of a learner, or of the hub or the proxy."""
        if who in ("hub", "proxy"):
            return f"{self.project}-{who}"
        return f"{self.project}-learner-{who.replace('-', '-2d').replace('.', '-2e')}"

    def inspect(self, who: str) -> dict:
        return json.loads(run(self.folder, "docker", "inspect", self.container(who)))[0]

    def is_running(self, who: str) -> bool:
        name = f"name=^{self.container(who)}$"
        return bool(run(self.folder, "docker", "ps", "--quiet", "--filter", name))

    def address(self, who: str, network_of: str | None = None) -> str:
        networks = self.inspect(who)["NetworkSettings"]["Networks"]
        return networks[self.container(network_of or who)]["IPAddress"]

    def up_with(self, *lines: str) -> None:
        """Start the class again with further settings."""
        with (self.server / ".env").open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))
        done = self.inv("up")
        assert done.returncode == 0, done.stderr

    def inv(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["./inv", "class", *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True)


def first_hour(learner: Learner) -> tuple[str, str]:
    """Come, run a cell, answer an exercise and have it tested; give what both said."""
    assert learner.log_in().status_code == 302
    learner.get_token()
    learner.start()
    said = learner.run_cell("import torch; print(int(torch.ones(2, 3).sum()))")
    write = f"cp solutions.py answers.py && echo '# of {learner.name}' >> answers.py"
    learner.shell(f"cd {PACKAGE} && {write}")
    return said, learner.shell(f"invoke test --section 0.0 --exercise {EXERCISE} | tail -1")


@pytest.fixture(scope="module")
def lesson(engine):
    """A class in its first hour."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_TRUSTED_HOST", MARKER)
        with server(NAMES) as (folder, learners):
            made = Class(folder, learners)
            made.said = dict(zip(NAMES, at_once(learners, first_hour), strict=True))
            yield made


# Ten at once


def test_each_of_ten_who_come_at_once_runs_torch(lesson):
    assert {name: said for name, (said, _) in lesson.said.items()} == dict.fromkeys(NAMES, "6")


def test_each_of_ten_has_an_answer_tested(lesson):
    said = {name: said.strip() for name, (_, said) in lesson.said.items()}
    assert said == dict.fromkeys(NAMES, "1 passed, 0 failed")


def test_status_tells_who_works(lesson):
    said = lesson.inv("status").stdout
    assert said.startswith("hub: healthy, http://127.0.0.1:")
    assert all(f"{name} " in said for name in NAMES)
    assert said.count("MiB / 4GiB") == len(NAMES)


def test_doctor_finds_a_learners_server_fit(lesson):
    said = json.loads(lesson.ann.shell("invoke doctor --json"))
    assert [f for f in said["findings"] if f["status"] != "PASS"] == []


# Who gets in


def test_name_that_the_teacher_did_not_write_stays_out(lesson):
    assert Learner("mallory", lesson.ann.url).log_in().status_code == 403


def test_wrong_password_stays_out(lesson):
    assert Learner("ann", lesson.ann.url, "not her password").log_in().status_code == 403


def test_name_that_is_added_gets_in_at_once_with_a_password_that_is_long_enough(lesson):
    done = lesson.inv("add", "zoe")
    assert done.stdout == "11 may log in.\n"
    short = Learner("zoe", lesson.ann.url, "short").log_in()
    assert (short.status_code, "at least 8 characters" in short.text) == (403, True)
    assert Learner("zoe", lesson.ann.url, "x" * 73).log_in().status_code == 403
    assert Learner("zoe", lesson.ann.url).log_in().status_code == 302


def test_password_can_be_set_anew_after_a_reset(lesson):
    lesson.inv("add", "yan")
    assert Learner("yan", lesson.ann.url, "a first one").log_in().status_code == 302
    assert Learner("yan", lesson.ann.url, "a second one").log_in().status_code == 403
    assert "forgotten" in lesson.inv("reset", "yan").stdout
    assert Learner("yan", lesson.ann.url, "a second one").log_in().status_code == 302


def test_name_that_is_taken_away_stays_out(lesson):
    lesson.inv("add", "xi")
    xi = Learner("xi", lesson.ann.url)
    assert xi.log_in().status_code == 302
    page = f"{xi.url}/hub/home"
    assert xi.session.get(page, allow_redirects=False).status_code == 200
    file = lesson.server / "learners.txt"
    file.write_text(file.read_text().replace("xi\n", ""))
    assert xi.log_in().status_code == 403
    wait(lambda: xi.session.get(page, allow_redirects=False).status_code == 302)


def test_slip_in_the_list_sends_nobody_away(lesson):
    file = lesson.server / "learners.txt"
    before = file.read_text()
    file.write_text(before + "a slip\n")
    assert Learner("ann", lesson.ann.url).log_in().status_code == 302
    file.write_text(before)


def test_only_a_teacher_is_an_admin(lesson):
    lesson.inv("add", "prof", "--teacher")
    prof = Learner("prof", lesson.ann.url)
    prof.log_in()
    prof.get_token()
    assert prof.ask("GET", "/hub/api/users").status_code == 200
    assert lesson.ann.ask("GET", "/hub/api/users").status_code == 403


# What a learner cannot reach


@pytest.mark.parametrize(
    "path",
    ["api/contents", f"files/{PACKAGE}/answers.py", "api/kernels", "api/terminals", "lab", "site/"],
)
def test_token_of_one_opens_nothing_on_the_server_of_another(lesson, path):
    assert lesson.ann.ask("GET", f"/user/ann/{path}").status_code == 200
    assert lesson.ann.ask("GET", f"/user/ben/{path}").status_code == 403


def test_token_that_stands_in_ones_server_opens_nothing_on_anothers(lesson):
    token = lesson.ann.run_cell("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
    assert lesson.ann.ask("GET", "/user/ann/api/contents", token=token).status_code == 200
    assert lesson.ann.ask("GET", "/user/ben/api/contents", token=token).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", "/server"), ("POST", "/server"), ("POST", "/tokens"), ("DELETE", "")],
)
def test_hub_does_nothing_to_another_for_ones_token(lesson, method, path):
    answer = lesson.ann.ask(method, f"/hub/api/users/ben{path}")
    assert answer.status_code in (403, 404)
    assert lesson.ben.is_ready()


def test_without_a_token_a_server_opens_nothing(lesson):
    assert lesson.ann.ask("GET", "/user/ann/api/contents", token="").status_code == 403


def test_browser_of_one_opens_no_page_of_another(lesson):
    answer = lesson.ann.session.get(f"{lesson.ann.url}/user/ben/lab")
    assert answer.status_code == 403


def test_files_of_each_are_on_a_volume_of_their_own(lesson):
    for name in ("ann", "ben"):
        (mount,) = [m for m in lesson.inspect(name)["Mounts"] if m["Type"] == "volume"]
        assert (mount["Name"], mount["Destination"]) == (lesson.container(name), "/lab")
        (last,) = lesson.learners[name].shell(f"tail -1 {PACKAGE}/answers.py").splitlines()
        assert last == f"# of {name}"
    assert "# of ben" not in lesson.ann.shell("grep -rs '^# of ' /lab /home /tmp /mnt /srv")


CONNECT = """
import socket
for address in {}:
    with socket.socket() as probe:
        probe.settimeout(3)
        print(probe.connect_ex(address) == 0)
"""


def reached(learner: Learner, *addresses: tuple[str, int]) -> list[bool]:
    said = learner.run_cell(CONNECT.format(list(addresses)))
    return [word == "True" for word in said.split()]


def test_container_of_one_reaches_the_hub_and_the_proxy_but_no_other_learner(lesson):
    hub, proxy = lesson.address("hub", "ann"), lesson.address("proxy", "ann")
    ben = lesson.address("ben")
    assert reached(lesson.ann, (hub, 8081), (proxy, 8000)) == [True, True]
    assert reached(lesson.ann, (ben, 8888)) == [False]
    # It is there, and whoever is in its network reaches it.
    assert reached(lesson.ben, (ben, 8888)) == [True]


def test_container_of_one_reaches_no_other_learner_by_the_hubs_way(lesson):
    # Hub and proxy are in all networks: by their addresses in ben's, ann must not get there.
    hub, proxy = (lesson.address(who, "ben") for who in ("hub", "proxy"))
    assert reached(lesson.ben, (hub, 8081), (proxy, 8000)) == [True, True]
    assert reached(lesson.ann, (hub, 8081), (proxy, 8000)) == [False, False]
    for who in ("hub", "proxy"):
        forward = ("docker", "exec", lesson.container(who), "cat", "/proc/sys/net/ipv4/ip_forward")
        assert run(lesson.folder, *forward).strip() == "0"


def test_proxy_takes_orders_from_the_hub_alone(lesson):
    proxy = lesson.address("proxy", "ann")
    front = lesson.inspect("proxy")["NetworkSettings"]["Networks"]
    (address,) = (n["IPAddress"] for name, n in front.items() if name.endswith("-front"))
    assert reached(lesson.ann, (proxy, 8001), (address, 8001)) == [False, False]


def test_engine_is_the_hubs_alone(lesson):
    mounts = {who: str(lesson.inspect(who)["Mounts"]) for who in ("hub", "proxy", "ann")}
    assert [who for who, said in mounts.items() if "docker.sock" in said] == ["hub"]


def test_way_out_of_the_proxy_stays_the_published_one(lesson):
    # The first of the networks by name has it; the learners' came later.
    command = ("docker", "exec", lesson.container("proxy"), "cat", "/proc/net/route")
    routes = [line.split() for line in run(lesson.folder, *command).splitlines()]
    assert [interface for interface, goal, *_ in routes if goal == "00000000"] == ["eth0"]


# Limits


def test_learners_container_is_hardened_and_limited(lesson):
    host = lesson.inspect("ann")["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"]
    assert host["Init"]
    assert not host["Privileged"]
    assert not host["PortBindings"]
    assert host["Memory"] == 4 << 30
    assert host["CpuQuota"] == 2 * host["CpuPeriod"]
    assert host["PidsLimit"] == 1024
    assert host["ShmSize"] == 1 << 30
    assert lesson.inspect("ann")["Config"]["User"] == "1000:1000"


def test_torch_is_told_how_many_cores_a_learner_has(lesson):
    assert lesson.ann.run_cell("import os; print(os.environ['OMP_NUM_THREADS'])") == "2"


def test_hub_and_proxy_are_hardened_too(lesson):
    for who in ("hub", "proxy"):
        host = lesson.inspect(who)["HostConfig"]
        assert (host["CapDrop"], host["ReadonlyRootfs"]) == (["ALL"], True)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
    bindings = lesson.inspect("proxy")["HostConfig"]["PortBindings"]["8000/tcp"]
    assert bindings == [{"HostIp": "127.0.0.1", "HostPort": str(lesson.ann.port)}]
    assert not lesson.inspect("hub")["HostConfig"]["PortBindings"]


def test_cell_that_starts_too_many_processes_is_stopped(lesson):
    said = lesson.dan.run_cell(
        "import subprocess\n"
        "held = []\n"
        "try:\n"
        "    for n in range(2000): held.append(subprocess.Popen(['sleep', '60']))\n"
        "except OSError as error:\n"
        "    print(error.strerror, 500 < len(held) < 1024)\n"
        "for one in held: one.kill(); one.wait()"
    )
    assert said == "Resource temporarily unavailable True"


# The lab in it


def test_instructions_open_in_every_learners_jupyterlab(lesson):
    def first_page(learner):
        return learner.ask("GET", f"/user/{learner.name}/site/").status_code

    assert at_once(list(lesson.learners.values()), first_page) == [200] * len(NAMES)
    tiles = lesson.ann.ask("GET", "/user/ann/server-proxy/servers-info").json()["server_processes"]
    assert {"Instructions", "Runs"} <= {tile["launcher_entry"]["title"] for tile in tiles}


def test_server_of_a_learner_has_the_labs_own_settings(lesson):
    settings = lesson.ann.ask("GET", "/user/ann/lab/api/extensions")
    assert settings.status_code == 200
    log = subprocess.run(
        ["docker", "logs", lesson.container("ann")], capture_output=True, text=True
    ).stderr
    assert "arena_lab.jupyter | extension was successfully loaded" in log
    assert "jupyter_lsp | extension was successfully loaded" not in log


def test_notebook_is_saved_by_the_browser_after_the_site_was_opened(lesson):
    browser, base = lesson.cleo.session, f"{lesson.cleo.url}/user/cleo"
    assert browser.get(f"{base}/lab").status_code == 200
    assert browser.get(f"{base}/site/").status_code == 200
    assert browser.get(f"{base}/site/_stcore/health").status_code == 200
    model = browser.get(f"{base}/api/contents/{PACKAGE}/answers.py?type=notebook").json()
    model["content"]["cells"].append(
        {"cell_type": "code", "source": "# mine", "metadata": {}, "outputs": []}
    )
    (token,) = (c.value for c in browser.cookies if c.name == "_xsrf" and c.path == "/user/cleo/")
    given = {"type": "notebook", "format": "json", "content": model["content"]}
    saved = browser.put(
        f"{base}/api/contents/{PACKAGE}/answers.py", json=given, headers={"X-XSRFToken": token}
    )
    assert saved.status_code == 200, saved.text
    assert lesson.cleo.shell(f"tail -1 {PACKAGE}/answers.py") == "# mine"


# When something ends


def test_killed_server_comes_back_with_its_files(lesson):
    before = lesson.inspect("dan")["Id"]
    lesson.dan.shell("echo kept > /lab/kept.txt")
    run(lesson.folder, "docker", "kill", lesson.container("dan"))
    lesson.dan.start()
    assert lesson.inspect("dan")["Id"] != before
    assert lesson.dan.shell("cat /lab/kept.txt") == "kept"


def test_restarted_hub_finds_its_learners_again(lesson):
    before = {name: lesson.inspect(name)["State"]["StartedAt"] for name in NAMES}
    run(lesson.folder, "docker", "restart", lesson.container("hub"))
    wait(lambda: requests.get(f"{lesson.ann.url}/hub/health").status_code == 200)
    assert at_once(list(lesson.learners.values()), Learner.is_ready) == [True] * len(NAMES)
    assert {name: lesson.inspect(name)["State"]["StartedAt"] for name in NAMES} == before
    assert lesson.ann.run_cell("print('as before')") == "as before"


def test_proxy_that_is_made_anew_finds_the_learners_again(lesson):
    file = str(lesson.server / "docker-compose.yml")
    compose = ("docker", "compose", "--file", file, "--project-name", lesson.project)
    again = ("up", "--detach", "--no-build", "--force-recreate", "--no-deps", "proxy")
    run(lesson.folder, *compose, *again)
    # The hub looks after them every half minute; a request on the way before that is lost.
    for learner in lesson.learners.values():
        ask = functools.partial(learner.ask, "GET", f"/user/{learner.name}/api", patience=5)
        wait(lambda ask=ask: ask().status_code == 200)


# Collecting


def test_answers_are_collected_by_learner_and_section(lesson, tmp_path):
    folder = tmp_path / "answers"
    lesson.learners["eve"].shell(f"cd {PACKAGE} && rm answers.py && ln -s /etc/passwd answers.py")
    done = lesson.inv("collect", str(folder))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    for name in ("ann", "jan.o-k"):
        text = (folder / name / "part0_prereqs" / "answers.py").read_text()
        assert text.splitlines()[-1] == f"# of {name}"
        assert len(list((folder / name).glob("part*/answers.py"))) == 6
    # What is no file is left where it is.
    assert not (folder / "eve" / "part0_prereqs").exists()
    again = lesson.inv("collect", str(folder))
    assert (again.returncode, again.stderr) == (
        2,
        f"{folder} holds something already; name a new folder\n",
    )


# The images


def test_no_layer_of_the_hub_keeps_a_setting_of_the_machine_that_built_it(lesson):
    wanted = {MARKER.encode(), b"opt/hub/bin/jupyterhub"}
    found, rest = set(), b""
    command = ["docker", "save", "arena-lab:hub"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while chunk := process.stdout.read(1 << 22):
            found |= {text for text in wanted if text in rest + chunk}
            rest = chunk[-100:]
    # The second is a text that is there, which shows that layers can be read.
    assert found == {b"opt/hub/bin/jupyterhub"}


# Another course and other settings, in mid-term


@pytest.fixture(scope="module")
def later(lesson, tmp_path_factory):
    """The class with a newer course and a certificate, which is given too."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    made = tmp_path_factory.mktemp("tls")
    names = ("-subj", "/CN=class", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", made / "key.pem", "-out", made / "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    page = next((lesson.folder / "chapter0_fundamentals/instructions/pages").glob("*0.0*.md"))
    page.write_text(page.read_text() + "\nA line of the second half of the term.\n")
    lesson.up_with(
        f"ARENA_LAB_CLASS_CERTIFICATE={made / 'certificate.pem'}",
        f"ARENA_LAB_CLASS_KEY={made / 'key.pem'}",
    )
    for learner in lesson.learners.values():
        learner.url = learner.url.replace("http:", "https:")
        learner.session.verify = str(made / "certificate.pem")
    return lesson


def test_with_a_certificate_the_class_is_served_by_tls(later):
    assert later.ann.ask("GET", "/hub/api/users/ann").status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{later.ann.url}/hub/login")


def test_newer_course_comes_with_the_next_start_around_the_answers(later):
    def last_line(of: str) -> str:
        script = ("sh", "-c", f"tail -n 1 /lab/chapter0_fundamentals/{of}")
        return run(later.folder, "docker", "exec", later.container("ann"), *script).strip()

    page = "instructions/pages/*0.0*.md"
    assert "second half" not in last_line(page)
    later.ann.ask("DELETE", "/hub/api/users/ann/server")
    wait(lambda: not later.is_running("ann") and not later.ann.is_ready())
    later.ann.start()
    assert "second half" in last_line(page)
    assert last_line("exercises/part0_prereqs/answers.py") == "# of ann"


@pytest.fixture(scope="module")
def emptied(later):
    """The class without patience with who is idle, once all are stopped."""
    later.up_with("ARENA_LAB_CLASS_IDLE_MINUTES=0.1")
    wait(lambda: not any(map(later.is_running, NAMES)))
    return later


def test_who_is_idle_is_stopped_and_keeps_the_files(emptied):
    volumes = run(emptied.folder, "docker", "volume", "ls", "--quiet").split()
    assert {emptied.container(name) for name in NAMES} <= set(volumes)


def test_network_of_who_is_stopped_is_gone(emptied):
    mine = ("--quiet", "--filter", f"label=arena-lab.class={emptied.project}")
    wait(lambda: not run(emptied.folder, "docker", "network", "ls", *mine))


def test_down_stops_all_and_keeps_every_file(emptied):
    done = emptied.inv("down")
    assert done.stdout.startswith("Stopped. The files of ")
    mine = ("--quiet", "--filter", f"name={emptied.project}")
    assert run(emptied.folder, "docker", "ps", "--all", *mine) == ""
    assert run(emptied.folder, "docker", "network", "ls", *mine) == ""
    assert len(run(emptied.folder, "docker", "volume", "ls", *mine).split()) >= len(NAMES)
