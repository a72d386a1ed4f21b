"""The system call filter of the sandbox, as classic BPF for bubblewrap's --seccomp.

Denied are calls that reach the kernel's rarely walked paths or other processes: none of them is
needed to train a model. Numbers are those of the kernel's tables (arch/x86/entry/syscalls,
include/uapi/asm-generic/unistd.h); calls above 424 have one number everywhere.
"""

import errno
import platform
import struct

from training.sandbox.errors import SandboxUnavailableError

LOAD_WORD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, FAIL, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCH_AT, FIRST_ARGUMENT_AT = 0, 4, 16
X32_BIT = 0x40000000
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
UNIX, INET, INET6 = 1, 2, 10

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
SOCKET = {"x86_64": 41, "aarch64": 198}
CLONE3 = 435

DENIED_X86_64 = {
    "ptrace": 101, "syslog": 103, "personality": 135, "sysfs": 139, "vhangup": 153,
    "modify_ldt": 154, "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163,
    "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168,
    "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "init_module": 175, "delete_module": 176, "quotactl": 179, "lookup_dcookie": 212,
    "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "migrate_pages": 256, "unshare": 272, "move_pages": 279, "perf_event_open": 298,
    "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "kcmp": 312, "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
DENIED_AARCH64 = {
    "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51,
    "quotactl": 60, "acct": 89, "personality": 92, "kexec_load": 104, "init_module": 105,
    "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117, "reboot": 142,
    "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "adjtimex": 171,
    "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225,
    "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241, "fanotify_init": 262,
    "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
    "bpf": 280, "userfaultfd": 282, "unshare": 97, "vhangup": 58, "kexec_file_load": 294,
}  # fmt: skip
DENIED_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "mount_setattr": 442, "quotactl_fd": 443,
}  # fmt: skip
DENIED = {"x86_64": DENIED_X86_64, "aarch64": DENIED_AARCH64}


def filter_program(machine: str | None = None) -> bytes:
    """The filter for `machine` (this one by default), an array of struct sock_filter.

    Raises: SandboxUnavailableError on a processor family whose call numbers are not known here.
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxUnavailableError(
            f"There is no system call filter for {machine}; "
            f"run workers on {' or '.join(ARCHITECTURES)}."
        )
    parts = [*_head(machine), *_clone(machine), *_socket(machine), *_clone3()]
    numbers = sorted({*DENIED[machine].values(), *DENIED_EVERYWHERE.values()})
    parts += [step for number in numbers for step in _deny(number)]
    parts.append(_step(RETURN, ALLOW))
    return b"".join(parts)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _fail(number: int) -> bytes:
    return _step(RETURN, FAIL | number)


def _head(machine: str) -> list[bytes]:
    """Kill calls of another architecture (32-bit, x32), whose numbers mean other things."""
    return [
        _step(LOAD_WORD, ARCH_AT),
        _step(JUMP_EQUAL, ARCHITECTURES[machine], 1, 0),
        _step(RETURN, KILL_PROCESS),
        _step(LOAD_WORD, NUMBER_AT),
        _step(JUMP_AT_LEAST, X32_BIT, 0, 1),
        _step(RETURN, KILL_PROCESS),
    ]


def _clone(machine: str) -> list[bytes]:
    """Threads and processes may be made, namespaces may not."""
    return [
        _step(JUMP_EQUAL, CLONE[machine], 0, 4),
        _step(LOAD_WORD, FIRST_ARGUMENT_AT),
        _step(JUMP_ANY_BIT, NEW_NAMESPACES, 0, 1),
        _fail(errno.EPERM),
        _step(RETURN, ALLOW),
    ]


def _socket(machine: str) -> list[bytes]:
    """Only socket families that the empty network namespace confines (vsock is not)."""
    return [
        _step(JUMP_EQUAL, SOCKET[machine], 0, 6),
        _step(LOAD_WORD, FIRST_ARGUMENT_AT),
        _step(JUMP_EQUAL, UNIX, 3, 0),
        _step(JUMP_EQUAL, INET, 2, 0),
        _step(JUMP_EQUAL, INET6, 1, 0),
        _fail(errno.EAFNOSUPPORT),
        _step(RETURN, ALLOW),
    ]


def _clone3() -> list[bytes]:
    """Its flags lie in memory, out of reach: libc falls back to clone when it is missing."""
    return [_step(JUMP_EQUAL, CLONE3, 0, 1), _fail(errno.ENOSYS)]


def _deny(number: int) -> list[bytes]:
    return [_step(JUMP_EQUAL, number, 0, 1), _fail(errno.EPERM)]
