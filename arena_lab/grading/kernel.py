"""What Linux offers to shut a process in, by way of ctypes: Python 3.11 wraps none of it."""

import ctypes
import fcntl
import os
import resource
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

# From linux/sched.h, linux/mount.h, linux/prctl.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 0x1000, 0x4000, 0x40000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_SET_CHILD_SUBREAPER = 36
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID = -100, 0x8000, 1, 2
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_SIGKILL, _IPC_RMID = 9, 0

# What programs need of a machine: the system's and Python's own files, and nothing of a person.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
_SETTINGS = ("/etc/ld.so.cache", "/etc/localtime", "/etc/passwd")
_DEVICES = ("null", "zero", "full", "random", "urandom")


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave namespaces that are shared with others; a new PID namespace begins with the next fork.

    Raises:
        OSError: The kernel does not allow it.
    """
    _call("unshare", flags)


def become_root_of_own() -> None:
    """Enter a user namespace, whose capabilities end at its border; nobody else has an id in it.

    Raises:
        OSError: The kernel does not allow it.
    """
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"65534 {user} 1")
    Path("/proc/self/gid_map").write_text(f"65534 {group} 1")


def mount(what: str, where: Path, kind: str = "", options: str = "", flags: int = 0) -> None:
    """Mount a file system."""
    _call(
        "mount", what.encode(), bytes(where), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )


def temporary(where: Path, size: int, mode: str = "1777") -> None:
    """Mount an empty file system in memory that holds `size` bytes."""
    where.mkdir(parents=True, exist_ok=True)
    mount("tmpfs", where, "tmpfs", f"size={size},mode={mode}", _MS_NOSUID | _MS_NODEV)


def processes(where: Path) -> None:
    """Mount /proc of the PID namespace that this process is the first of."""
    mount("proc", where, "proc", flags=_MS_NOSUID | _MS_NODEV)


def build_root(root: Path, visible: Iterable[Path], size: int) -> None:
    """Make a folder the root of a small machine in which only the system and `visible` are.

    The folders stay to be filled by the caller, who then calls `make_read_only`.
    """
    mount("none", Path("/"), flags=_MS_REC | _MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", f"size={size},mode=755", _MS_NOSUID)
    for name in ("proc", "tmp", "dev/shm", "run/submission"):
        (root / name).mkdir(parents=True)
    devices = [Path("/dev") / name for name in _DEVICES]
    for path in (*map(Path, _SYSTEM), *map(Path, _SETTINGS), *devices, *visible):
        _show(path, root)
    (root / "dev/fd").symlink_to("/proc/self/fd")


def _show(path: Path, root: Path) -> None:
    there = root / path.relative_to("/")
    if not path.exists() or there.exists():
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() and str(path) in _SYSTEM:
        there.symlink_to(os.readlink(path))
        return
    there.mkdir() if path.is_dir() else there.touch()
    mount(str(path), there, flags=_MS_BIND | _MS_REC)


def make_read_only(root: Path) -> None:
    """Let nothing below a folder be written any more, whatever is mounted there."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    arguments = (_AT_FDCWD, bytes(root), _AT_RECURSIVE, ctypes.byref(attributes), size)
    _call("syscall", ctypes.c_long(_SYS_MOUNT_SETATTR), *arguments)


def loopback() -> None:
    """Let processes of this network namespace reach each other, as those of one training do."""
    with socket.socket() as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def become(user: int) -> None:
    """Become another user for good; what root could do is gone with it."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    no_new_privileges()


def drop_capabilities() -> None:
    """Give up what a user namespace gave."""
    for capability in range(64):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:  # there are no more
            break
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    _call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
    no_new_privileges()


def no_new_privileges() -> None:
    """Let no program that is started from here have more rights than this process."""
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def end_with_parent() -> None:
    """Be killed when the parent ends."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of what a process below this one leaves behind."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def remove_shared_memory() -> None:
    """Remove what this user left in System V's shared memory, semaphores and messages."""
    libc = ctypes.CDLL(None)
    for kind in ("shm", "sem", "msg"):
        header, *rows = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
        names = header.split()
        for row in rows:
            found = dict(zip(names, map(int, row.split()), strict=True))
            if os.getuid() in (found["uid"], found["cuid"]):
                number = found["shmid" if kind == "shm" else "semid" if kind == "sem" else "msqid"]
                arguments = (number, 0, _IPC_RMID) if kind == "sem" else (number, _IPC_RMID, None)
                getattr(libc, f"{kind}ctl")(*arguments)


def keep_out_others() -> None:
    """Let no process of the same user look into this one."""
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _call("prctl", option, ctypes.c_ulong(value), zero, zero, zero)


def limit(*, processes: int, file_size: int) -> None:
    """Bound what a process and its children take; memory is bounded where each test begins."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
