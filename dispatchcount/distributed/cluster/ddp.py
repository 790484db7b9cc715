"""DistributedDataParallel on tensors without values: its checks, its buckets and its hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from dispatchcount.distributed.cluster.patched import patched
from dispatchcount.errors import UsageError


@contextmanager
def wrapped_on_meta() -> Iterator[None]:
    """Let modules be wrapped for parallel training while their tensors are on meta.

    DistributedDataParallel compares the parameters of all ranks and sends those of rank 0 when it
    is made. Both read values, which tensors on meta do not have. A step does neither.
    """
    from torch.nn.parallel import distributed as ddp

    def nothing(*_: Any, **__: Any) -> None:
        """There is nothing to compare or to send."""

    with patched(ddp, _verify_param_shape_across_processes=nothing, _sync_module_states=nothing):
        yield


def renew_reducer(wrapper: Any, replaced: Callable[[Any], Any]) -> None:
    """Make the reducer of a DistributedDataParallel anew, for the tensors that are there now.

    Its reducer is C++ and holds the tensors that it was made with. In the first step it would put
    all gradients into one bucket; after that it asks all ranks for the order in which gradients
    arrived, and makes the buckets that all later steps use. It asks by tensors with values, so
    those buckets are made here, for gradients that arrive in the reverse of the order in which the
    parameters were defined.
    """
    hooks = list(wrapper._comm_hooks)
    wrapper._module_parameters = [replaced(tensor) for tensor in wrapper._module_parameters]
    wrapper.device, wrapper.device_type = torch.device("cpu"), "cpu"
    parameters, sparse = wrapper._build_params_for_reducer()
    with patched(dist, _compute_bucket_assignment_by_size=_later_buckets(wrapper)):
        wrapper._ddp_init_helper(
            parameters,
            sparse,
            wrapper._build_debug_param_to_name_mapping(parameters),
            wrapper.static_graph,
        )
    if len(hooks) > 1:
        raise UsageError("a DistributedDataParallel with several communication hooks has no plan")
    hook, state = hooks[0] if hooks else (_all_reduce, wrapper.process_group)
    dist._register_comm_hook(wrapper.reducer, state, _with_results(hook))
    wrapper.reducer = _Settled(wrapper.reducer)


def _later_buckets(wrapper: Any) -> Callable[..., Any]:
    """What assigns parameters to buckets as a reducer does from its second step on."""
    assign = dist._compute_bucket_assignment_by_size
    config = getattr(wrapper, "_bucket_config", None)
    most = wrapper.bucket_bytes_cap
    if config is not None:
        first = config.first_bucket_bytes_cap
    else:  # up to torch 2.11
        first = dist._DEFAULT_FIRST_BUCKET_BYTES if wrapper.bucket_bytes_cap_default else most

    def later(tensors: Sequence[Tensor], _limits: Any, sparse: Sequence[bool]) -> Any:
        backwards = list(reversed(range(len(tensors))))
        found, limits = assign(
            [tensors[index] for index in backwards],
            [first, most],
            [sparse[index] for index in backwards],
            backwards,
        )
        # The caller turns the order of buckets around.
        return list(reversed(found)), list(reversed(limits))

    return later


class _Settled:
    """A reducer that leaves its buckets as they are."""

    def __init__(self, reducer: Any) -> None:
        self._reducer = reducer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reducer, name)

    def _rebuild_buckets(self) -> bool:
        return False


def _all_reduce(group: Any, bucket: Any) -> Any:
    """What DistributedDataParallel does with a bucket when it has no hook."""
    work = dist.all_reduce(bucket.buffer(), group=group, async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def _with_results(hook: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A communication hook in whose collectives the future of a work has a value.

    A hook returns a future of the reduced bucket. That of the fake group's work holds nothing.
    """
    all_reduce = dist.all_reduce

    def reduced(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        work = all_reduce(tensor, *args, **kwargs)
        return work if work is None else _Done(work, [tensor])

    def run(state: Any, bucket: Any) -> Any:
        with patched(dist, all_reduce=reduced):
            return hook(state, bucket)

    # torch checks the annotations of a hook's arguments.
    run.__annotations__ = {}
    return run


class _Done:
    """The work of a collective that has ended with `result`."""

    def __init__(self, work: Any, result: Any) -> None:
        self._work, self._result = work, result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def get_future(self) -> Any:
        """A future that has the result."""
        future: Any = torch.futures.Future()
        future.set_result(self._result)
        return future
