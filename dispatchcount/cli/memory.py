"""How much memory is free, and work that stops with an exception before the machine runs out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KEPT_BACK = 10
"""One part in so many of what is free is left to the machine."""


def free() -> int | None:
    """Bytes that this process may still use without the machine running out; None where the system does not say.

    It is what Linux calls available, swap included, or what the process's control group leaves of it if that is less.
    """
    found = _fields("/proc/meminfo")
    if "MemAvailable" not in found:
        return None
    amounts = [found["MemAvailable"] + found.get("SwapFree", 0)]
    for folder, limit, usage in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        with suppress(
            OSError, ValueError
        ):  # there is no such group, or its limit is the word "max"
            most, used = (int(Path(folder, name).read_text()) for name in (limit, usage))
            amounts.append(most - used + _reclaimable(folder))
    least = max(0, min(amounts))
    return least - least // _KEPT_BACK


@contextmanager
def at_most(nbytes: int | None) -> Iterator[None]:
    """Lets the process take no more than so many bytes inside: what asks for more gets a MemoryError or a RuntimeError.

    Linux gives a process more memory than there is, and ends it when it uses it. With a limit the allocation fails. Does
    nothing where there is no such limit, or if `nbytes` is None.
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
    """True if an exception says that memory could not be had."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error)
        for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def _fields(path: str) -> dict[str, int]:
    """The sizes in a file of lines such as ``MemAvailable:  23610132 kB``, in bytes; empty where there is no such file."""
    fields = {}
    with suppress(OSError):
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if value.endswith(" kB"):
                fields[name] = int(value.removesuffix("kB")) * 1024
    return fields


def _reclaimable(folder: str) -> int:
    """Bytes of a control group that are files' contents not used lately: the system drops them when it needs the memory."""
    for line in Path(folder, "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(value)
    return 0
