"""How much memory the container may take, and whether it ran out, by what the kernel says."""

from pathlib import Path

import pytest

from arena_lab import memory


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /sys/fs/cgroup, on a machine that ended five processes for want of memory."""
    (tmp_path / "memory").mkdir()
    (tmp_path / "vmstat").write_text("nr_free_pages 12\noom_kill 5\nswap_ra 0\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_VMSTAT", tmp_path / "vmstat")
    return tmp_path


def version_2(cgroup: Path, limit: str) -> None:
    (cgroup / "memory.max").write_text(f"{limit}\n")
    events = "low 0\nhigh 0\nmax 917\noom 2\noom_kill 2\noom_group_kill 0\n"
    (cgroup / "memory.events").write_text(events)
    (cgroup / "memory.current").write_text("7340032\n")
    (cgroup / "memory.stat").write_text("anon 4194304\nfile 2097152\ninactive_file 1048576\n")


def version_1(cgroup: Path, limit: str) -> None:
    (cgroup / "memory" / "memory.limit_in_bytes").write_text(f"{limit}\n")
    control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
    (cgroup / "memory" / "memory.oom_control").write_text(control)
    (cgroup / "memory" / "memory.usage_in_bytes").write_text("7340032\n")
    stat = "cache 2097152\ninactive_file 12\ntotal_inactive_file 1048576\n"
    (cgroup / "memory" / "memory.stat").write_text(stat)


def test_version_2_of_control_groups_is_read(cgroup: Path) -> None:
    version_2(cgroup, "8589934592")
    assert (memory.limit(), memory.kills()) == (8 << 30, 2)


def test_version_1_of_control_groups_is_read(cgroup: Path) -> None:
    version_1(cgroup, "838860800")
    assert (memory.limit(), memory.kills()) == (800 << 20, 3)


@pytest.mark.parametrize(
    ("write", "no_limit"),
    [(version_2, "max"), (version_1, "9223372036854771712")],
    ids=["version 2", "version 1"],
)
def test_without_a_limit_the_machine_is_asked(cgroup: Path, write, no_limit: str) -> None:
    write(cgroup, no_limit)
    assert (memory.limit(), memory.kills()) == (None, 5)


def test_machine_without_control_groups_has_no_limit(cgroup: Path) -> None:
    (cgroup / "vmstat").unlink()
    assert (memory.limit(), memory.kills()) == (None, 0)


@pytest.mark.parametrize("write", [version_2, version_1], ids=["version 2", "version 1"])
def test_container_has_left_what_its_processes_do_not_hold(cgroup: Path, write) -> None:
    write(cgroup, str(8 << 20))  # of 7 in use one is of files that can be read again
    assert memory.available() == 2 << 20


def test_full_container_has_nothing_left(cgroup: Path) -> None:
    version_2(cgroup, str(4 << 20))
    assert memory.available() == 0


def test_container_whose_use_is_not_told_has_its_limit_left(cgroup: Path) -> None:
    version_2(cgroup, str(8 << 20))
    (cgroup / "memory.current").unlink()
    assert memory.available() == 8 << 20


def test_story_names_the_limit_and_what_raises_it(
    cgroup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    version_2(cgroup, "8589934592")
    assert "which is 8.0 GB." in memory.story("The kernel")
    assert "ARENA_LAB_MEMORY=" in memory.story("The kernel")


def test_story_in_a_class_names_who_sets_the_limit(
    cgroup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token")
    version_2(cgroup, "4294967296")
    story = memory.story("The kernel")
    assert "than a learner may take here, which is 4.0 GB." in story
    assert "your teacher sets the limit" in story
    assert "ARENA_LAB_MEMORY" not in story


def test_story_of_a_machine_without_a_limit_speaks_of_the_machine(cgroup: Path) -> None:
    assert memory.story("The kernel").startswith(
        "The kernel was ended: this machine ran out of memory."
    )
