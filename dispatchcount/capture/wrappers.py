"""Which classes are torch's wrappers: they hold one module and hand their inputs on to it.

A wrapper adds copies, collectives or a second run, and no layer of its own. Its row would shift the
names of everything below it (``module.layers.0``), and a report of a wrapped run would match that
of the model alone in no row. So the wrapped module's row stands for both, under the name that it
has without the wrapper.

A wrapper is told by its class, never by a name: users have modules called ``module`` too.
"""

from __future__ import annotations

from torch import nn

from dispatchcount.capture.torch_private import COMPILER

COMPILED = "_orig_mod"
"""The name by which a compiled module holds the one that it was made of."""

_WRAPPERS = {
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel": (
        "_fsdp_wrapped_module"
    ),
    # The base of checkpoint_wrapper and offload_wrapper.
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.ActivationWrapper": (
        "_checkpoint_wrapped_module"
    ),
    "torch.optim.swa_utils.AveragedModel": "module",
}
"""The name by which each wrapper holds what it wraps, by the class's full name.

Naming a class loads nothing: most of them are in parts of torch that few runs need. torch 2.6 to
2.14 have all of them under these names.
"""


def wraps(of: type[nn.Module]) -> str | None:
    """The name by which modules of a class, or of one derived from it, hold what they wrap.

    Returns:
        None if the class is no wrapper.
    """
    for base in of.__mro__:
        home = str(base.__module__)
        if home.startswith(COMPILER):
            return COMPILED
        if home.startswith("torch."):
            name = _WRAPPERS.get(f"{home}.{base.__qualname__}")
            if name is not None:
                return name
    return None


def original(of: type[nn.Module]) -> type[nn.Module]:
    """The class that a module had before torch.distributed gave it one of its own.

    `fully_shard` and `replicate` wrap nothing. They make ``FSDPLinear`` of their own class and the
    module's, and put that in the place of the module's class.
    """
    made_by, *rest = of.__bases__
    if (
        len(rest) == 1
        and str(made_by.__module__).startswith("torch.distributed.")
        and not issubclass(made_by, nn.Module)
        and issubclass(rest[0], nn.Module)
        and of.__name__.endswith(rest[0].__name__)
    ):
        return original(rest[0])
    return of
