"""How many tests run at a time: as many as there are cores, or time for cores."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arena_lab import cores, isolation


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /sys/fs/cgroup, on a machine with 32 cores."""
    (tmp_path / "cpu").mkdir()
    monkeypatch.setattr(cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 32)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(32)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("quota", "usable"),
    [("200000", 2), ("150000", 2), ("50000", 1), ("9900000", 32), ("max", 32), ("-1", 32)],
)
@pytest.mark.parametrize("version", [1, 2])
def test_container_with_a_share_of_the_cores_has_no_more(
    cgroup: Path, version: int, quota: str, usable: int
) -> None:
    if version == 2:
        (cgroup / "cpu.max").write_text(f"{quota} 100000\n")
    else:
        (cgroup / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        (cgroup / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores.usable() == usable


def test_machine_without_control_groups_has_all_its_cores(cgroup: Path) -> None:
    assert cores.usable() == 32


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def test_each_test_has_one_thread_where_the_learner_has_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in THREADS:
        monkeypatch.setenv(name, "2")
    isolation.one_thread()
    assert [os.environ[name] for name in THREADS] == ["1", "1", "1"]


def test_each_test_has_one_thread_under_pytest_too() -> None:
    code = "import arena_lab.pytest_plugin, torch; print(torch.get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **dict.fromkeys(THREADS, "2")},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1\n", done.stderr
