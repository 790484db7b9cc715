"""Every public entry point, given None, a class, text or a list where it wants something else.

The error must say what was given and what to give, and must not be one of a line of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dispatchcount as dc
from dispatchcount.compat import (
    calflops,
    deepspeed,
    fvcore,
    mmengine,
    ptflops,
    thop,
    torchinfo,
    torchprofile,
)
from dispatchcount.laws.law_api import Law
from dispatchcount.report_api import Report

pytestmark = pytest.mark.torch_alone

DEVICE = dc.Device(peak={"float32": 1e12}, bandwidth=1e11)


@cache
def net() -> nn.Module:
    return nn.Linear(2, 2)


def x() -> Tensor:
    return torch.ones(1, 2)


@cache
def report() -> Report:
    with dc.profile(net()) as prof:
        net()(x())
    return prof.report


@cache
def law() -> Law:
    return dc.law(net(), run, b=2)


def run(b: int) -> Tensor:
    result: Tensor = net()(torch.ones(b, 2))
    return result


def samples(given: Any) -> None:
    with dc.profile(net()) as prof:
        list(prof.samples(given))


def stepped(**options: Any) -> None:
    meter = dc.Meter(net(), DEVICE, **options)
    with meter.step(x()):
        net()(x())


NO_MODULE: dict[str, Callable[[Any], Any]] = {
    "profile": dc.profile,
    "profile by name": lambda bad: dc.profile({"encoder": bad}),
    "law": lambda bad: dc.law(bad, run, b=2),
    "verify": lambda bad: law().verify(bad, run, times=1),
    "Meter": lambda bad: dc.Meter(bad, device=DEVICE),
    "get_model_complexity_info": lambda bad: dc.get_model_complexity_info(bad, (2,)),
    "mmengine.flop_count": lambda bad: mmengine.flop_count(bad, (x(),)),
    "mmengine.parameter_count": mmengine.parameter_count,
    "fvcore.FlopCountAnalysis": lambda bad: fvcore.FlopCountAnalysis(bad, (x(),)),
    "thop": lambda bad: thop.profile(bad, (x(),)),
    "ptflops": lambda bad: ptflops.get_model_complexity_info(bad, (2,)),
    "calflops": lambda bad: calflops.calculate_flops(bad, (1, 2)),
    "deepspeed": lambda bad: deepspeed.get_model_profile(bad, (1, 2)),
    "deepspeed.FlopsProfiler": deepspeed.FlopsProfiler,
    "torchinfo": lambda bad: torchinfo.summary(bad, (1, 2)),
    "torchprofile": lambda bad: torchprofile.profile_macs(bad, (x(),)),
}


@pytest.mark.parametrize("name", NO_MODULE)
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (None, "is None, not a torch.nn.Module"),
        (5, "is an int, not a torch.nn.Module"),
        ("net", "is a str, not a torch.nn.Module; pass the module inside it"),
        (nn.Linear, r"is the class Linear, not a torch.nn.Module; make one of it, Linear\(…\)"),
        ([nn.Linear(2, 2)], "is a list, not a torch.nn.Module"),
    ],
    ids=["None", "int", "text", "class", "list"],
)
def test_what_is_no_module_is_named(name: str, bad: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        NO_MODULE[name](bad)


OTHERS: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...], str]] = {
    # What is called, what is wrong for it, and what its message tells to give.
    "profile labels": (lambda bad: dc.profile(labels=bad), (5, "a", ["a"]), "texts by name"),
    "profile rules": (lambda bad: dc.profile(rules=bad), (5, "a", ["a"]), "rules by operator"),
    "profile memory": (lambda bad: dc.profile(memory=bad), (5, nn.Linear), "list of optimizers"),
    "profile memory of": (lambda bad: dc.profile(memory=bad), ([5], "a"), "a list of optimizers"),
    "samples": (samples, (None, 5), "a DataLoader, a list"),
    "law run": (lambda bad: dc.law(net(), bad, b=2), (None, 5, "a"), "code to run"),
    "law far": (lambda bad: dc.law(net(), run, b=2, far=bad), (5, "a", [3]), "far={'n': 60}"),
    "law progress": (lambda bad: dc.law(net(), run, b=2, progress=bad), (5, "a"), "such as print"),
    "verify run": (lambda bad: law().verify(net(), bad, times=1), (None, 5), "code to run"),
    "verify times": (lambda bad: law().verify(net(), run, bad), (None, "a"), "how many runs"),
    "law diff": (lambda bad: law().diff(bad), (None, 5, "a.json"), "takes a law"),
    "law table": (lambda bad: law().table(bad), ("all", [1]), "a number of levels"),
    "law latex": (lambda bad: law().to_latex(bad), (None, 5), "names of metrics"),
    "law causal": (lambda bad: law().causal(bad), ("all", [1]), "how many keys a query sees"),
    "law file": (lambda bad: dc.Law.from_json(bad), (None, 5), "takes a path or bytes"),
    "Meter tokens": (lambda bad: dc.Meter(net(), DEVICE, tokens=bad), (None, 5), "a function of"),
    "Meter law": (
        lambda bad: dc.Meter(net(), DEVICE, law=bad, sizes=len),
        (5, "a"),
        "a law, and a function of a batch",
    ),
    "Meter sizes": (
        lambda bad: dc.Meter(net(), DEVICE, law=law(), sizes=bad),
        (5, "a"),
        "a law, and a function of a batch",
    ),
    "Meter rules": (lambda bad: dc.Meter(net(), DEVICE, rules=bad), (5, "a"), "rules by operator"),
    "Meter clock": (lambda bad: dc.Meter(net(), DEVICE, clock=bad), (5, "a"), "`mark`"),
    "Meter device": (lambda bad: dc.Meter(net(), bad), (5, "h100"), "dispatchcount.device"),
    "Meter state": (
        lambda bad: dc.Meter(net(), DEVICE).load_state_dict(bad),
        (None, 5),
        "state_dict",
    ),
    "device": (dc.device, (5, ["h100"], DEVICE), "takes a name such as 'h100-sxm'"),
    "Device peak": (lambda bad: dc.Device(peak=bad), (None, 5, 1e12), "flops a second by dtype"),
    "measure dtypes": (lambda bad: dc.measure_device("cpu", bad), (None, 5, "float32"), "a list"),
    "measure none": (lambda bad: dc.measure_device("cpu", bad), ([], ["bf16"]), "float32"),
    "measure size": (
        lambda bad: dc.measure_device("cpu", size=bad),
        (0, -5, 2.5),
        "an integer from 1 up, or None for 4,096",
    ),
    "measure nbytes": (
        lambda bad: dc.measure_device("cpu", nbytes=bad),
        (0, -1, 2),
        "an integer from 4 up",
    ),
    "measure seconds": (
        lambda bad: dc.measure_device("cpu", seconds=bad),
        (-1, float("nan"), "a"),
        "how long to measure each figure",
    ),
    "Meter every": (lambda bad: dc.Meter(net(), DEVICE, every=bad), (0, True, 1.5), "from 1 up"),
    "Meter dtype": (
        lambda bad: dc.Meter(net(), DEVICE, dtype=bad),
        ("bf16", 5, float),
        "no dtype of torch; give one such as 'bfloat16'",
    ),
    "Meter tokens of": (
        lambda bad: stepped(tokens=lambda batch: bad),
        ("many", [3]),
        "a number of tokens, or None",
    ),
    "Meter sizes of": (
        lambda bad: stepped(law=law(), sizes=lambda batch: bad),
        (None, 5),
        "the batch's sizes by name",
    ),
    "redundancy logical": (
        lambda bad: Report.merge([report()], axis="rank").redundancy(bad),
        (5, "a.json"),
        "a report of the same step on one device",
    ),
    "redundancy distinct": (
        lambda bad: Report.merge([report()], axis="rank").redundancy(distinct=bad),
        (5, "experts"),
        "how many by name",
    ),
    "roofline": (lambda bad: report().roofline(bad), (None, "h100"), "dispatchcount.device"),
    "utilization": (
        lambda bad: report().utilization(bad, 1.0),
        (None, "h100"),
        "dispatchcount.device",
    ),
    "report diff": (lambda bad: report().diff(bad), (None, 5, "a.json"), "takes reports"),
    "merge": (Report.merge, (None, 5), r"Report.merge\(\[first, second\]\)"),
    "merge of": (Report.merge, ([None], ["a.json"]), "takes reports"),
    "merge ranks": (
        lambda bad: Report.merge(bad, axis="rank"),
        ([None], ["a.json"]),
        "takes reports",
    ),
    "report file": (Report.from_json, (None, 5), "takes a path or bytes"),
    "report columns": (lambda bad: report().table(columns=bad), (5, nn.Linear), "names, such as"),
    "report top": (lambda bad: report().operators(bad), ("all", [1]), "a number of operators"),
    "gather": (dc.distributed.gather, (None, 5, "a.json"), r"gather\(prof.report\)"),
    "register": (dc.register, (None, 5), "a rule's target is an operator"),
    "kernel": (lambda bad: dc.kernel("scan", cost=bad), (None, "a", 1.5), "an int of MACs"),
}


@pytest.mark.parametrize(
    ("name", "bad"), [(name, bad) for name, (_, wrong, _) in OTHERS.items() for bad in wrong]
)
def test_what_is_of_another_kind_is_named_with_what_to_give(name: str, bad: Any) -> None:
    call, _, give = OTHERS[name]
    with pytest.raises((TypeError, ValueError), match=give):
        call(bad)
