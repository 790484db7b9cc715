"""A cluster that is not there: one process in which torch believes to be a rank of many.

torch has a process group for tests, ``"fake"``, whose collectives return at once. With it, with
models on meta and with fake tensors, all of torch's own parallelism runs in one process and
allocates nothing. It was not made for this, so there are traps. Each is dealt with here, next to a
sentence that says what goes wrong otherwise. All that is private to torch and used by planning is
in this file. It was verified with torch 2.14.1. `missing` says what another version lacks, and a
plan is then refused with that sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn, overrides
from torch.utils import _device as devices

from dispatchcount.capture.torch_private import FakeTensor, fake_mode
from dispatchcount.distributed.mesh import Mesh
from dispatchcount.distributed.padding import Padding
from dispatchcount.errors import UsageError

VERIFIED = "2.14.1"
"""The version of torch whose private parts were read and run for what stands here."""


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
            f"torch {torch.__version__} lacks {', '.join(lacking)}, which planning uses; it was "
            f"verified with torch {VERIFIED}"
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
        (torch, "_GLOBAL_DEVICE_CONTEXT"),
    ]
    lacking = [f"{place.__name__}.{name}" for place, name in wanted if not hasattr(place, name)]
    try:
        from torch.testing._internal.distributed.fake_pg import FakeStore as FakeStore
    except ImportError:
        lacking.append("torch.testing._internal.distributed.fake_pg.FakeStore")
    return lacking


@contextmanager
def cluster(mesh: Mesh, rank: int) -> Iterator[Any]:
    """Be a rank of a cluster inside; yields torch's device mesh.

    The mesh is of CPUs: on a mesh of GPUs, FSDP asks for a driver. It is made before any fake mode
    is on, because torch reads values out of the tensor in which it keeps the ranks.

    Whatever code inside does to the process is undone: its process groups, the default device and
    dtype, the state of random numbers, and if gradients are recorded.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    with ExitStack() as undo:
        undo.enter_context(_defaults())
        undo.callback(_forget_layouts)
        undo.callback(_leave_groups)
        _forget_layouts()
        dist.init_process_group("fake", rank=rank, world_size=mesh.ranks, store=FakeStore())
        undo.enter_context(_all_to_all())
        yield init_device_mesh("cpu", mesh.sizes, mesh_dim_names=mesh.names)


@contextmanager
def _defaults() -> Iterator[None]:
    """Have tensors made on the CPU inside, and put back what code may set for the whole process."""
    dtype = torch.get_default_dtype()
    with (
        made_on("cpu"),
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextmanager
def made_on(device: str) -> Iterator[None]:
    """Have tensors made on `device` inside, unless code inside sets another default device.

    ``with torch.device(…)`` would not do. It leaves another mode than it entered if a default
    device is set meanwhile. So all that torch keeps for both ways is put back as it was: the modes
    for torch functions, and two global variables.
    """
    modes = overrides._get_current_function_mode_stack()
    current, chosen = devices.CURRENT_DEVICE, torch._GLOBAL_DEVICE_CONTEXT.__dict__.copy()
    try:
        if torch.get_default_device() != torch.device(device):
            torch.set_default_device(device)
        yield
    finally:
        while overrides._len_torch_function_stack():
            overrides._pop_mode()
        for mode in modes:
            overrides._push_mode(mode)
        devices.CURRENT_DEVICE = current
        torch._GLOBAL_DEVICE_CONTEXT.__dict__.clear()
        torch._GLOBAL_DEVICE_CONTEXT.__dict__.update(chosen)


def asks_for_values(error: BaseException) -> bool:
    """True if an error says that a tensor without values was asked for one."""
    from torch._subclasses import fake_tensor

    kinds = ("DataDependentOutputException", "DynamicOutputShapeException")
    classes = tuple(getattr(fake_tensor, name) for name in kinds if hasattr(fake_tensor, name))
    return isinstance(error, classes) or "cannot be called on meta tensors" in str(error)


def _leave_groups() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def _forget_layouts() -> None:
    """Have DTensor forget what it worked out.

    It remembers layouts by mesh, and two meshes are equal to it whatever rank this process is in
    them. So what it learnt as one rank would be handed to another, whose pieces may be smaller.
    """
    from torch.distributed.tensor import DTensor, _redistribute

    propagator = DTensor._op_dispatcher.sharding_propagator
    caches = (
        getattr(propagator.propagate_op_sharding, "cache_clear", None),
        getattr(getattr(_redistribute, "_gen_transform_infos", None), "cache_clear", None),
        getattr(torch._C, "_clear_DTensor_sharding_propagator_cache", None),
    )
    for clear in caches:
        if clear is not None:
            clear()


@contextmanager
def patched(place: Any, **values: Any) -> Iterator[None]:
    """Set attributes of a module or class inside, and put the old ones back."""
    before = {name: getattr(place, name) for name in values}
    for name, value in values.items():
        setattr(place, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(place, name, value)


@contextmanager
def _all_to_all() -> Iterator[None]:
    """Move a DTensor's shards from one dimension to another as a mesh of accelerators does.

    On a mesh of CPUs torch gathers everything and keeps a part, because gloo had no all-to-all.
    That would plan as many times too many bytes as there are ranks. ``shard_dim_alltoall`` in
    ``placement_types`` is private; a torch without it keeps its own way.
    """
    from torch.distributed import _functional_collectives as functional
    from torch.distributed.tensor import placement_types

    def direct(tensor: Tensor, gather_dim: int, shard_dim: int, mesh: Any, mesh_dim: int) -> Any:
        group = functional._resolve_group((mesh, mesh_dim))
        name = getattr(group, "group_name", group)
        return torch.ops._dtensor.shard_dim_alltoall(tensor, gather_dim, shard_dim, name)

    if not hasattr(placement_types, "shard_dim_alltoall"):
        yield
        return
    with patched(placement_types, shard_dim_alltoall=direct):
        yield


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


def stand_in(model: nn.Module) -> None:
    """Give every tensor of a model on meta a fake one on the CPU in its place.

    To be called under the fake mode of the plan. FSDP refuses to run on meta, and operators on meta
    are not those that a device runs (attention is not fused). Modules are parallelized on meta all
    the same, because DTensor reads its mesh then, which no fake mode allows. Tied parameters, and
    tensors that modules keep as plain attributes, are kept as they were.
    """
    made: dict[int, tuple[Tensor, Tensor]] = {}  # the old one is kept, so that its id is not reused

    def replaced(tensor: Any) -> Any:
        if not isinstance(tensor, Tensor) or isinstance(tensor, FakeTensor):
            return tensor
        if id(tensor) not in made:
            made[id(tensor)] = tensor, _fake(tensor)
        return made[id(tensor)][1]

    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                held[name] = replaced(tensor)
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):
                vars(module)[name] = replaced(value)
    for module in model.modules():
        if isinstance(module, nn.parallel.DistributedDataParallel):
            _renew_reducer(module, replaced)
        for parameter in fsdp_parameters(module):
            parameter.reset_sharded_param()


def _fake(tensor: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor

    if isinstance(tensor, DTensor):
        local = _fake(tensor._local_tensor)
        fake: Any = DTensor(local, tensor._spec, requires_grad=tensor.requires_grad)
    else:
        fake = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="cpu")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(fake, requires_grad=tensor.requires_grad)
    return fake


def fsdp_parameters(module: nn.Module) -> list[Any]:
    """What FSDP2 keeps of each parameter that it shards together with others at a module.

    ``_get_fsdp_state`` and ``FSDPParam`` are private. A state has one group of parameters up to
    torch 2.11 and a list of groups later.
    """
    from torch.distributed.fsdp import FSDPModule

    if not isinstance(module, FSDPModule):
        return []
    state = module._get_fsdp_state()
    groups = getattr(state, "_fsdp_param_groups", None)
    if groups is None:
        groups = [state._fsdp_param_group]
    return [parameter for group in groups if group is not None for parameter in group.fsdp_params]


def padding(model: nn.Module) -> Iterator[Padding]:
    """What FSDP adds at each module that parameters are sharded at, after a step.

    FSDP knows dtypes from its first step on.
    """
    for name, module in model.named_modules():
        useful = sent = ranks = 0
        for parameter in fsdp_parameters(module):
            ranks = parameter.mesh_info.shard_mesh_size
            width = (parameter.param_dtype or parameter.orig_dtype).itemsize
            useful += parameter._orig_size.numel() * width
            sent += parameter.padded_sharded_param_size.numel() * ranks * width
        if ranks:
            yield Padding(name, ranks, useful, sent)


def _renew_reducer(wrapper: Any, replaced: Callable[[Any], Any]) -> None:
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
