"""DeepSpeed's flops profiler.

Write ``from dispatchcount.compat.deepspeed import get_model_profile`` where
``from deepspeed.profiling.flops_profiler import get_model_profile`` was. The figures are ours: a
MAC is two flops, and every element-wise operation is one. Latencies are the time that the
operators of a module took.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dispatchcount import files
from dispatchcount.capture.held import check_module
from dispatchcount.compat._absent import absent
from dispatchcount.compat._depths import classes_by_depth
from dispatchcount.compat._jit.state import untouched
from dispatchcount.compat._modules import in_mode
from dispatchcount.compat._once import empty_input, not_counted
from dispatchcount.compat._replaced import Replaced
from dispatchcount.compat._units import (
    bytes_to_string,
    duration_to_string,
    flops_to_string,
    macs_to_string,
    number_to_string,
    params_to_string,
)
from dispatchcount.profiler import Profile, profile
from dispatchcount.report.metrics import Stats
from dispatchcount.report.rows import FORWARD
from dispatchcount.report_api import Report

_RULE = "-" * 78


class FlopsProfiler:
    """Counts what a model does between `start_profile` and `stop_profile`.

    Only forward passes count, as in DeepSpeed; what runs outside of modules (a loss) is part of
    them here. Nothing is left on the model, and nothing is patched.

    Args:
        model: the model.
        ds_engine: not used; what DeepSpeed's engine measures is not known here.
        recompute_fwd_factor: not used, because what checkpointing runs again is not counted.
    """

    def __init__(
        self, model: nn.Module, ds_engine: Any = None, recompute_fwd_factor: float = 0.0
    ) -> None:
        check_module(model)
        self.model = model
        self.ds_engine = ds_engine
        self.recompute_fwd_factor = recompute_fwd_factor
        self.started = False
        self._replaced = Replaced()
        self._profile: Profile | None = None
        self._open = False
        self._last: tuple[Report, Report] | None = None

    def start_profile(self, ignore_list: Collection[type] | None = None) -> None:
        """Begin to count, from 0.

        Args:
            ignore_list: classes of modules that count nothing, with all that lies below them.
        """
        self.stop_profile()
        self._replaced = Replaced(without=set(ignore_list or ()))
        self.started = True
        self._begin()

    def stop_profile(self) -> None:
        """Count no further. The figures can be asked for until the next start."""
        if self._open and self._profile is not None:
            self._open = False
            self._profile.__exit__(None, None, None)

    def reset_profile(self) -> None:
        """Count from 0 again; does nothing before `start_profile`."""
        if self.started:
            self.stop_profile()
            self._begin()

    def end_profile(self) -> None:
        """Count no further, and forget the figures."""
        self.stop_profile()
        self.started = False
        self._profile = self._last = None

    def _begin(self) -> None:
        self._profile = profile(self.model, convention="full", time=True, wrappers=True)
        self._profile.__enter__()
        self._open = True

    @property
    def report(self) -> Report:
        """The report that the figures are read off.

        Raises:
            RuntimeError: nothing was counted.
        """
        if self._profile is None:
            raise RuntimeError("nothing was counted; call start_profile() and run the model first")
        report = self._profile.report
        if self._last is None or self._last[0] is not report:
            self._last = report, self._replaced.rewritten(report, self.model)
        return self._last[1]

    def _forward(self, name: str | None = None) -> Stats:
        """What forward passes did in a module, or everywhere if no name is given."""
        return self.report.by_phase(name).get(FORWARD, Stats())

    def get_total_flops(self, as_string: bool = False) -> Any:
        """Flops of the forward passes, ``"297.78 M"`` as text."""
        return _written(self._forward().flops, number_to_string, as_string)

    def get_total_macs(self, as_string: bool = False) -> Any:
        """Multiply-accumulates of the forward passes, ``"148.56 MMACs"`` as text."""
        return _written(self._forward().macs, macs_to_string, as_string)

    def get_total_duration(self, as_string: bool = False) -> Any:
        """Seconds that the operators of the forward passes took, ``"4.31 ms"`` as text."""
        return _written(self._forward().time_ns / 1e9, duration_to_string, as_string)

    def get_total_params(self, as_string: bool = False) -> Any:
        """Elements of the model's parameters, ``"11.69 M"`` as text."""
        return _written(self.report.params, params_to_string, as_string)

    def print_model_profile(
        self,
        profile_step: int = 1,
        module_depth: int = -1,
        top_modules: int = 1,
        detailed: bool = True,
        output_file: str | None = None,
    ) -> None:
        """Print the totals, the biggest classes of modules by depth, and the model with figures.

        It prints nothing before `start_profile`.

        Args:
            profile_step: the number of the step, for the title.
            module_depth: the depth down to which classes are listed; all if it is -1.
            top_modules: how many classes to list at each depth.
            detailed: True to print the model with the figures of every module.
            output_file: the file to write to, in place of standard output; its folder is made.

        Raises:
            OSError: the file cannot be written.
        """
        if not self.started:
            return
        with _printed_to(output_file):
            seconds, flops = self.get_total_duration(), self.get_total_flops()
            print(f"{_RULE}\nFlops profile at step {profile_step}\n")
            lines = {
                "params per GPU": self.get_total_params(as_string=True),
                "fwd MACs per GPU": self.get_total_macs(as_string=True),
                "fwd flops per GPU": number_to_string(flops),
                "fwd latency": duration_to_string(seconds),
                "fwd FLOPS per GPU": flops_to_string(flops / seconds if seconds else 0),
            }
            for label, text in lines.items():
                print(f"{label + ':':<24}{text}")
            if not_counted(self.report):
                print(not_counted(self.report))
            print()
            self.print_model_aggregated_profile(module_depth, top_modules)
            if detailed:
                print(f"\n{self.report.arch()}")
            print(_RULE)

    def print_model_aggregated_profile(self, module_depth: int = -1, top_modules: int = 1) -> None:
        """Print the biggest classes of modules at each depth, by parameters, MACs and latency.

        Args:
            module_depth: the depth down to which classes are listed; all if it is -1.
            top_modules: how many classes to list at each depth.
        """
        depths = classes_by_depth(self.report)
        shown = depths if module_depth == -1 else depths[: module_depth + 1]
        print(f"Top {top_modules} classes of modules by depth:")
        for depth, classes in enumerate(shown):
            print(f"depth {depth}:")
            for index, (label, way) in enumerate(_FIGURES.items()):
                ranked = sorted(classes, key=lambda cls: classes[cls][index], reverse=True)
                texts = {cls: way(classes[cls][index]) for cls in ranked[:top_modules]}
                print(f"    {label:<12}- {texts}")


_FIGURES: dict[str, Callable[[float], str]] = {
    "params": params_to_string,
    "MACs": macs_to_string,
    "fwd latency": duration_to_string,
}
"""What classes of modules are ranked by, and how it is written."""


def get_model_profile(
    model: nn.Module,
    input_shape: tuple[int, ...] | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    print_profile: bool = True,
    detailed: bool = True,
    module_depth: int = -1,
    top_modules: int = 1,
    warm_up: int = 1,
    as_string: bool = True,
    output_file: str | None = None,
    ignore_modules: Collection[type] | None = None,
    mode: str = "forward",
) -> tuple[Any, Any, Any]:
    """Flops, multiply-accumulates and parameters of a model in eval mode.

    Args:
        model: the model.
        input_shape: the sizes of its only input, the batch's included.
        args: its arguments by position, instead of `input_shape`.
        kwargs: its arguments by name.
        print_profile: True to print the profile; see `FlopsProfiler.print_model_profile`.
        detailed: see there, and so for the two arguments below.
        module_depth: see there.
        top_modules: see there.
        warm_up: how many passes to run before the one that is measured.
        as_string: True to return ``"297.78 M"``, ``"148.56 MMACs"`` and ``"11.69 M"``.
        output_file: the file to print to, in place of standard output.
        ignore_modules: classes of modules that count nothing, with all that lies below them.
        mode: ``"forward"``, or the name of another method, ``"generate"``.

    Raises:
        ValueError: there is neither `input_shape` nor an argument.
    """
    if input_shape is None and not args and not kwargs:
        raise ValueError("the model needs an input; give its input_shape, or args and kwargs")
    check_module(model)
    given = tuple(args) if input_shape is None else (empty_input(model, tuple(input_shape)),)
    call = model if mode == "forward" else getattr(model, mode)
    profiler = FlopsProfiler(model)
    with untouched(model), in_mode(model, training=False), torch.no_grad():
        for _ in range(warm_up):
            call(*given, **(kwargs or {}))
        profiler.start_profile(ignore_modules)
        try:
            call(*given, **(kwargs or {}))
        finally:
            profiler.stop_profile()
    if print_profile:
        profiler.print_model_profile(warm_up, module_depth, top_modules, detailed, output_file)
    elif not_counted(profiler.report):
        print(not_counted(profiler.report))
    return (
        profiler.get_total_flops(as_string),
        profiler.get_total_macs(as_string),
        profiler.get_total_params(as_string),
    )


def _written(figure: float, way: Callable[[float], str], as_string: bool) -> Any:
    return way(figure) if as_string else figure


@contextlib.contextmanager
def _printed_to(path: str | None) -> Iterator[None]:
    """Collect what is printed inside and write it to a file, unless `path` is empty or None."""
    if not path:
        yield
        return
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        yield
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    files.write(path, text.getvalue())


_BY_MODULE = (
    "no attribute is put on modules here; read their figures off FlopsProfiler(model).report, "
    "whose by_module() has them by name"
)
__getattr__ = absent(
    __name__,
    dict.fromkeys(("get_module_duration", "get_module_flops", "get_module_macs"), _BY_MODULE),
)

__all__ = [
    "FlopsProfiler",
    "bytes_to_string",
    "duration_to_string",
    "flops_to_string",
    "get_model_profile",
    "macs_to_string",
    "number_to_string",
    "params_to_string",
]
