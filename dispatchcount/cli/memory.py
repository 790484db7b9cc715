"""Says how much memory is free, and stops work with an exception before none is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KEPT_BACK = 10
"""The machine keeps one part in so many of what is free."""


def free() -> int | None:
    """How many bytes this process may still use before the machine runs out of memory.

    That is what Linux calls available, including swap, or what the process's control group leaves
    of it if that is less.

    Returns:
        None where the system does not say.
    """
    found = _fields("/proc/meminfo")
    if "MemAvailable" not in found:
        return None
    amounts = [found["MemAvailable"] + found.get("SwapFree", 0)]
    for folder, limit, usage in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        # There may be no such group, or its limit is the word "max".
        with suppress(OSError, ValueError):
            most, used = (int(Path(folder, name).read_text()) for name in (limit, usage))
            amounts.append(most - used + _reclaimable(folder))
    least = max(0, min(amounts))
    return least - least // _KEPT_BACK


@contextmanager
def at_most(nbytes: int | None) -> Iterator[None]:
    """Let the process take at most so many more bytes inside.

    An allocation of more raises a MemoryError or a RuntimeError. Without the limit, Linux gives a
    process more memory than there is, and ends it when it uses that. Nothing happens where the
    system has no such limit, or if `nbytes` is None.
    """
    held = _fields("/proc/self/status").get("VmData")
    if nbytes is None or held is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = min(limit for limit in (held + nbytes, soft, hard) if limit != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def was_too_much(error: BaseException | None) -> bool:
    """True if an exception says that memory could not be allocated."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error)
        for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def _fields(path: str) -> dict[str, int]:
    """The sizes in a file of lines such as ``MemAvailable:  23610132 kB``, in bytes.

    There are none if there is no such file.
    """
    fields = {}
    with suppress(OSError):
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if value.endswith(" kB"):
                fields[name] = int(value.removesuffix("kB")) * 1024
    return fields


def _reclaimable(folder: str) -> int:
    """How many bytes of a control group are contents of files that were not used lately.

    The system drops them when it needs the memory.
    """
    for line in Path(folder, "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(value)
    return 0
