"""Whether this process can stand for a cluster: what planning needs of torch and of the process."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import overrides
from torch.utils import _device as devices

from dispatchcount.capture.torch_private import fake_mode
from dispatchcount.distributed.cluster.kernels import has_kernels
from dispatchcount.errors import UsageError

OLDEST = "2.7"
"""The oldest version of torch that can plan."""

VERIFIED = "2.14.1"
"""The newest version of torch that the traps were read and run with."""


def check() -> None:
    """Find out if this process can stand for a cluster.

    Raises:
        UsageError: torch lacks a part, a process group is open, or a fake mode is on.
    """
    if not dist.is_available():
        raise UsageError("this torch was built without torch.distributed, so it cannot plan")
    lacking = missing()
    if lacking:
        raise UsageError(
            f"torch {torch.__version__} lacks {', '.join(lacking)}, which planning uses; plan with "
            f"torch {OLDEST} to {VERIFIED}, which it was tried with, or a later one"
        )
    if dist.is_initialized():
        raise UsageError(
            "this process is in a process group already, and planning needs one of its own; plan "
            "before init_process_group, after destroy_process_group, or in another process"
        )
    if fake_mode() is not None:
        raise UsageError(
            "a FakeTensorMode is on, and planning needs one of its own; call plan() outside of it"
        )


def missing() -> list[str]:
    """The private parts of torch that are used here and that this torch does not have."""
    from torch.distributed.tensor import DTensor
    from torch.nn.parallel import distributed as ddp

    wanted: list[tuple[Any, str]] = [
        (ddp, "_verify_param_shape_across_processes"),
        (ddp, "_sync_module_states"),
        (ddp.DistributedDataParallel, "_build_params_for_reducer"),
        (ddp.DistributedDataParallel, "_build_debug_param_to_name_mapping"),
        (ddp.DistributedDataParallel, "_ddp_init_helper"),
        (dist, "_compute_bucket_assignment_by_size"),
        (dist, "_DEFAULT_FIRST_BUCKET_BYTES"),
        (dist, "_register_comm_hook"),
        (DTensor, "_op_dispatcher"),
        (overrides, "_get_current_function_mode_stack"),
        (overrides, "_len_torch_function_stack"),
        (overrides, "_pop_mode"),
        (overrides, "_push_mode"),
        (devices, "CURRENT_DEVICE"),
        (devices, "DeviceContext"),
        (torch, "_GLOBAL_DEVICE_CONTEXT"),
    ]
    lacking = [f"{place.__name__}.{name}" for place, name in wanted if not hasattr(place, name)]
    try:
        from torch.testing._internal.distributed.fake_pg import FakeStore as FakeStore
    except ImportError:
        lacking.append("torch.testing._internal.distributed.fake_pg.FakeStore")
    if not has_kernels():
        lacking.append("kernels of collectives for tensors without values")
    return lacking
