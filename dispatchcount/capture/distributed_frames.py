"""The looks at Python's stack that collectives ask for, one function a question; see `frames.py`.

Sharded and replicated training copy parameters and gradients into buffers before they send them, so
that the operands of a collective do not tell whose data it moves. The objects that know are on the
stack. Each function says which code of torch it leans on; where a torch has moved that code, it is
not found, and the question is answered with no or with nothing. ``tests/distributed`` then fails;
it passes with torch 2.14.1.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from inspect import unwrap
from types import CodeType, FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from dispatchcount.capture.frames import (
    OURS,
    TORCH,
    backward_code,
    code_of,
    frames,
    innermost_code,
)
from dispatchcount.capture.groups import distributed
from dispatchcount.capture.torch_private import loaded


def moved_shards() -> list[nn.Module]:
    """Whose shards does sharded training move right now?

    Leans on ``FSDPParamGroup`` and its `modules`, of ``torch.distributed.fsdp._fully_shard``; on
    ``FlatParamHandle`` and its `_fully_sharded_module`, of ``torch.distributed.fsdp._flat_param``;
    and on the names under which methods and functions there hold one, ``self`` and ``handle``.

    Returns:
        The modules that were sharded together; nothing if none are moved.
    """
    group = loaded("torch.distributed.fsdp._fully_shard._fsdp_param_group", "FSDPParamGroup")
    flat = loaded("torch.distributed.fsdp._flat_param", "FlatParamHandle")
    for frame in frames(1) if group is not None or flat is not None else ():
        code = frame.f_code
        if not code.co_filename.startswith(_SHARDING):
            continue
        for name in ("self", "handle"):
            holder = frame.f_locals.get(name) if name in code.co_varnames else None
            if group is not None and isinstance(holder, group):
                return list(holder.modules)
            if flat is not None and isinstance(holder, flat):
                return [holder._fully_sharded_module]
    return []


def moved_bucket() -> list[torch.Tensor]:
    """Which parameters' gradients are in the bucket that a communication hook is given right now?

    Leans on ``torch.distributed.GradBucket``, which ``DistributedDataParallel`` hands to the hook.
    It calls the hook from C++, so the hook is the first function of Python's that the backward pass
    runs.

    Returns:
        The parameters; nothing if no such hook runs.
    """
    kind: Any = getattr(dist, "GradBucket", None)
    start = backward_code()
    for frame in frames(1) if kind is not None else ():
        if frame.f_code is start:
            break
        if frame.f_back is None or frame.f_back.f_code is start:
            code, values = frame.f_code, frame.f_locals
            for name in (*code.co_varnames[: code.co_argcount], *code.co_freevars):
                if isinstance(values.get(name), kind):
                    parameters: list[torch.Tensor] = values[name].parameters()
                    return parameters
    return []


def moved_stages() -> list[nn.Module]:
    """Between which modules does a pipeline pass activations or gradients on right now?

    Leans on the schedules of ``torch.distributed.pipelining``: their `_stage`, or their `_stages`
    where a rank has several, and the `submod` of a stage. A rank with several sends for all of them
    at once.

    Returns:
        The modules of this rank's stages; nothing if no schedule runs.
    """
    schedule = loaded(_PIPELINES, "_PipelineSchedule")
    for frame in frames(1) if schedule is not None else ():
        if frame.f_code.co_filename == _SCHEDULES and "self" in frame.f_code.co_varnames:
            runs = frame.f_locals.get("self")
            if isinstance(runs, schedule):
                stages = getattr(runs, "_stages", None) or [getattr(runs, "_stage", None)]
                return [stage.submod for stage in stages if hasattr(stage, "submod")]
    return []


def in_control() -> bool:
    """True if torch exchanges objects, metadata or checks between ranks right now.

    Leans on the functions of ``torch.distributed`` that pickle objects (their names end in
    ``_object`` or ``_object_list``), on ``_verify_param_shape_across_processes``, and on the files
    that only keep ranks in step: those of the order in which FSDP runs modules, of DTensor's random
    numbers, of device meshes, and of ranks that run out of input.
    """
    codes = _control_codes()
    return rebuilds_buckets() or any(
        frame.f_code in codes or frame.f_code.co_filename in _CONTROL_FILES for frame in frames(1)
    )


def in_set_up() -> bool:
    """True if torch prepares a distributed run right now, which it does once, before any step.

    A stage of a pipeline runs its module on memory that nobody wrote, to learn the shapes that it
    will send. Sharded modules make their buffers, and replicated ones sort their buckets anew.

    Leans on the methods of pipeline schedules that are called ``_initialize_stage`` or
    ``_initialize_stages``, and on the functions called ``_lazy_init`` of both kinds of FSDP.
    """
    homes = tuple(name for name in _SETS_UP if name in sys.modules)
    codes = _set_up_codes(homes)
    return rebuilds_buckets() or (bool(codes) and any(frame.f_code in codes for frame in frames(1)))


def may_set_up() -> bool:
    """True if `in_set_up` may be true, for code that asks often: this looks at few frames.

    Set-up calls modules and allocates memory from torch's own files. So the search ends at the
    first function that is neither torch's nor ours, which in a loop of training is the user's. A
    process that belongs to no group sets nothing up.
    """
    if not distributed():
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_SETTING_UP):
            return True
        if not name.startswith(_TORCH_OR_OURS):
            return False
        frame = frame.f_back
    return False


def rebuilds_buckets() -> bool:
    """True if replicated training tells all ranks of the buckets that it made in the first step.

    Leans on ``DistributedDataParallel._pre_forward``, which calls C++ for it, so that no other
    function of Python's runs in between.
    """
    return innermost_code() in _pre_forward_codes()


def called_by_backward() -> bool:
    """True if the engine of backward passes runs what runs right now, and no function of Python's.

    Leans on ``torch.autograd.graph._engine_run_backward``.
    """
    return innermost_code() in (None, backward_code())


@cache
def _pre_forward_codes() -> frozenset[CodeType]:
    from torch.nn.parallel import DistributedDataParallel

    code = code_of(getattr(DistributedDataParallel, "_pre_forward", None))
    return frozenset() if code is None else frozenset((code,))


@cache
def _set_up_codes(homes: tuple[str, ...]) -> frozenset[CodeType]:
    """The code of set-up in the modules of torch of these names, which are loaded."""
    codes = []
    for home in homes:
        for value in vars(sys.modules[home]).values():
            functions = vars(value).values() if isinstance(value, type) else (value,)
            codes += [code_of(f) for f in functions if getattr(f, "__name__", "") in _SETS_UP[home]]
    return frozenset(code for code in codes if code is not None)


@cache
def _control_codes() -> frozenset[CodeType]:
    from torch.distributed import utils

    names = [name for name in vars(dist) if name.endswith(("_object", "_object_list"))]
    functions = [getattr(dist, name) for name in names]
    functions.append(getattr(utils, "_verify_param_shape_across_processes", None))
    codes = [code_of(unwrap(function)) for function in functions if callable(function)]
    return frozenset(code for code in codes if code is not None)


_PIPELINES = "torch.distributed.pipelining.schedules"
_SETS_UP = {
    _PIPELINES: ("_initialize_stage", "_initialize_stages"),
    "torch.distributed.fsdp._fully_shard._fsdp_state": ("_lazy_init",),
    "torch.distributed.fsdp._runtime_utils": ("_lazy_init",),
}
"""Where in torch set-up is written, and what the functions are called."""

_DISTRIBUTED = os.path.join(TORCH, "distributed")
_TORCH_OR_OURS = (TORCH, OURS)
_SETTING_UP = (
    os.path.join(_DISTRIBUTED, "pipelining") + os.sep,
    os.path.join(_DISTRIBUTED, "fsdp") + os.sep,
    os.path.join(TORCH, "nn", "parallel", "distributed.py"),
)
"""Where the functions lie that call modules or allocate memory in a set-up."""

_SCHEDULES = os.path.join(_DISTRIBUTED, "pipelining", "schedules.py")
_SHARDING = os.path.join(_DISTRIBUTED, "fsdp") + os.sep
_CONTROL_FILES = frozenset(
    os.path.join(_DISTRIBUTED, *place)
    for place in (
        ("fsdp", "_exec_order_utils.py"),
        ("tensor", "_random.py"),
        ("device_mesh.py",),
        ("algorithms", "join.py"),
    )
)
