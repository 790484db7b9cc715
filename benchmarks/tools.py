"""The counters that the benchmark compares: how each is run once on a scene, and how many MACs it
says the run took.
"""

from __future__ import annotations

import importlib.metadata
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from scenes import Scene
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import dispatchcount

CONTRACTIONS = {"conv", "addmm", "matmul", "linear", "bmm", "einsum", "mm"}
"""What fvcore and mmengine call the operators whose MACs they count; the rest of their sum is not
MACs.
"""


@dataclass
class Tool:
    """A counter.

    Attributes:
        name: for tables.
        run: everything it does for one count, which is what is timed.
        macs: its answer, in MACs.
        package: what must be installed.
        training: whether it can count a forward and a backward.
        runs: of the scene in one count.
    """

    name: str
    run: Callable[[Scene], Any]
    macs: Callable[[Scene], int | None]
    package: str = "torch"
    training: bool = False
    runs: int = 1

    @property
    def version(self) -> str | None:
        """Of its package; None where that is not installed."""
        if self.package == "dispatchcount":  # it may run from its source
            return dispatchcount.__version__
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return None


class Bare(TorchDispatchMode):
    """Calls through: the least that any counter by dispatch can cost."""

    supports_higher_order_operators = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **kwargs) if kwargs else func(*args)


def _eager(scene: Scene) -> None:
    scene.run()


def _bare(scene: Scene) -> None:
    with Bare():
        scene.run()


def _block(scene: Scene, runs: int = 1) -> dispatchcount.Profile:
    with dispatchcount.profile(scene.model) as prof:
        for _ in range(runs):
            scene.run()
    return prof


def _report(scene: Scene) -> int:
    return _block(scene).report.with_convention("macs").flops


def _reference(scene: Scene, runs: int = 1) -> int:
    with FlopCounterMode(display=False) as counter:
        for _ in range(runs):
            scene.run()
    return int(counter.get_total_flops()) // (2 * runs)


def _trace(scene: Scene) -> int:
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(
        activities=activities, with_flops=True, record_shapes=True
    ) as trace:
        scene.run()
    return sum(int(event.flops) for event in trace.key_averages()) // 2


def _fvcore(scene: Scene) -> int:
    from fvcore.nn import FlopCountAnalysis

    counter = (
        FlopCountAnalysis(scene.model, scene.inputs)
        .unsupported_ops_warnings(False)
        .uncalled_modules_warnings(False)
    )
    counter.tracer_warnings("none")
    return sum(int(count) for op, count in counter.by_operator().items() if op in CONTRACTIONS)


def _mmengine(scene: Scene) -> Any:
    from mmengine.analysis import get_model_complexity_info

    return get_model_complexity_info(
        scene.model, inputs=scene.inputs, show_table=False, show_arch=False
    )


def _mmengine_macs(scene: Scene) -> int:
    from mmengine.analysis import FlopAnalyzer

    counter = (
        FlopAnalyzer(scene.model, scene.inputs)
        .unsupported_ops_warnings(False)
        .uncalled_modules_warnings(False)
    )
    return sum(int(count) for op, count in counter.by_operator().items() if op in CONTRACTIONS)


def _ptflops(scene: Scene) -> int | None:
    from ptflops import get_model_complexity_info

    (x,) = scene.inputs
    macs, _ = get_model_complexity_info(
        scene.model,
        tuple(x.shape[1:]) or (1,),
        input_constructor=lambda _: x,
        as_strings=False,
        print_per_layer_stat=False,
        verbose=False,
    )
    return None if macs is None else int(macs)


def _thop(scene: Scene) -> int:
    from thop import profile

    macs, _ = profile(scene.model, inputs=scene.inputs, verbose=False)
    return int(macs)


def _calflops(scene: Scene) -> int:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(
        model=scene.model,
        args=list(scene.inputs),
        print_results=False,
        print_detailed=False,
        output_as_string=False,
    )
    return int(macs)


def _torchinfo(scene: Scene) -> int:
    from torchinfo import summary

    return int(summary(scene.model, input_data=scene.inputs, verbose=0).total_mult_adds)


MANY = 10
"""Runs in one block, for what a run costs once a block is open."""

EAGER = Tool("no counter", _eager, lambda _: None, training=True)
BARE = Tool("a mode that only calls through", _bare, lambda _: None, training=True)
BLOCK = Tool("dispatchcount, the block alone", _block, _report, "dispatchcount", training=True)
BLOCK_OF_MANY = Tool(
    f"dispatchcount, one of {MANY} runs",
    lambda s: _block(s, MANY),
    _report,
    "dispatchcount",
    True,
    MANY,
)
REFERENCE = Tool("torch FlopCounterMode", _reference, _reference, training=True)
REFERENCE_OF_MANY = Tool(
    f"torch FlopCounterMode, one of {MANY} runs",
    lambda s: _reference(s, MANY),
    _reference,
    "torch",
    True,
    MANY,
)


def interleaved(scene: Scene) -> list[Tool]:
    """These leave nothing behind in the process, so they take turns in one.

    On a big model one run is like another.
    """
    tools = [EAGER, BARE, BLOCK, BLOCK_OF_MANY, REFERENCE, REFERENCE_OF_MANY]
    return [tool for tool in tools if tool.runs == 1 or not scene.big]


ALONE = [
    Tool("dispatchcount, block and report", _report, _report, "dispatchcount", training=True),
    Tool("torch.profiler with_flops", _trace, _trace, training=True),
    Tool("fvcore", _fvcore, _fvcore, "fvcore"),
    Tool("mmengine", _mmengine, _mmengine_macs, "mmengine"),
    Tool("ptflops", _ptflops, _ptflops, "ptflops"),
    Tool("thop", _thop, _thop, "thop"),
    Tool("calflops", _calflops, _calflops, "calflops"),
    Tool("torchinfo", _torchinfo, _torchinfo, "torchinfo"),
]
"""Each of these takes turns with `EAGER` in a process of its own."""


def quiet() -> None:
    """Tools warn about operators they do not know; their counts say so better."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
