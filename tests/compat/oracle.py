"""Asks fvcore and ourselves about one model, and lists where the answers differ."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import fvcore.nn
from fvcore.nn.activation_count import _DEFAULT_SUPPORTED_OPS as ACTIVATION_HANDLES
from fvcore.nn.flop_count import _DEFAULT_SUPPORTED_OPS as FLOP_HANDLES
from fvcore.nn.jit_analysis import JitModelAnalysis
from torch import nn

from dispatchcount.compat._jit.analysis import analyze_together
from dispatchcount.compat.fvcore import ActivationCountAnalysis, FlopCountAnalysis, parameter_count

Answers = dict[str, Counter[str]]
"""By module, and then by ``"flops mm"``, ``"activations mm"`` …"""


def quiet(analysis: Any) -> Any:
    return (
        analysis.unsupported_ops_warnings(False)
        .uncalled_modules_warnings(False)
        .tracer_warnings("none")
    )


def fvcore_says(model: nn.Module, inputs: tuple[Any, ...]) -> Answers:
    """Fvcore's flops and activations, from one trace with both sets of its own handles."""
    analysis = quiet(JitModelAnalysis(model, inputs))
    for kind in FLOP_HANDLES.keys() | ACTIVATION_HANDLES.keys():
        analysis.set_op_handle(
            kind,
            _both(
                kind.removeprefix("aten::"), FLOP_HANDLES.get(kind), ACTIVATION_HANDLES.get(kind)
            ),
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(analysis.by_module_and_operator())


def _both(name: str, *handles: Callable[..., Any] | None) -> Callable[..., Counter[str]]:
    def handle(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for what, one in zip(("flops", "activations"), handles, strict=True):
            if one is not None:
                result = one(inputs, outputs)
                for op, value in (
                    result if isinstance(result, Counter) else {name: result}
                ).items():
                    counts[f"{what} {op}"] += value
        return counts

    return handle


def we_say(model: nn.Module, inputs: tuple[Any, ...]) -> Answers:
    """Our flops and activations, from one run."""
    analyses = {
        "flops": quiet(FlopCountAnalysis(model, inputs)),
        "activations": quiet(ActivationCountAnalysis(model, inputs)),
    }
    analyze_together(*analyses.values())
    answers: Answers = {}
    for what, analysis in analyses.items():
        for module, counts in analysis.by_module_and_operator().items():
            answers.setdefault(module, Counter()).update(
                {f"{what} {op}": value for op, value in counts.items()}
            )
    return answers


def differences(model: nn.Module, inputs: tuple[Any, ...]) -> dict[str, tuple[Any, Any]]:
    """Where fvcore and we differ for a module: figures of the whole model, by ``"flops mm"`` ….

    Parameters are compared as well. Where fvcore raises, its answer is the exception's name, and ours
    the flops of all.
    """
    found: dict[str, tuple[Any, Any]] = {}
    if dict(fvcore.nn.parameter_count(model)) != dict(parameter_count(model)):
        found["params"] = (dict(fvcore.nn.parameter_count(model)), dict(parameter_count(model)))
    mine = we_say(model, inputs)
    try:
        theirs = fvcore_says(model, inputs)
    except Exception as error:
        return found | {
            "total": (
                type(error).__name__,
                sum(v for op, v in mine[""].items() if op.startswith("flops")),
            )
        }
    assert theirs.keys() == mine.keys()
    for op in {op for counts in (*theirs.values(), *mine.values()) for op in counts}:
        if any(theirs[name][op] != mine[name][op] for name in theirs):
            found[op] = (theirs[""][op], mine[""][op])
    return found
