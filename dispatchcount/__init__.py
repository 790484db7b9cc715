"""Counts what any PyTorch forward call costs, per operator and per module, by dispatch.

Names are imported when first used, so that reading a report never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dispatchcount._version import __version__

if TYPE_CHECKING:
    from dispatchcount import distributed as distributed
    from dispatchcount.compat.mmengine import get_model_complexity_info as get_model_complexity_info
    from dispatchcount.errors import DeviceError as DeviceError
    from dispatchcount.errors import DispatchcountError as DispatchcountError
    from dispatchcount.errors import LawError as LawError
    from dispatchcount.errors import MissingRanksError as MissingRanksError
    from dispatchcount.errors import ReportError as ReportError
    from dispatchcount.errors import UncountedError as UncountedError
    from dispatchcount.hardware.catalog import devices as devices
    from dispatchcount.hardware.device import Device as Device
    from dispatchcount.hardware.find import device as device
    from dispatchcount.hardware.measure import measure_device as measure_device
    from dispatchcount.hardware.roofline import Roofline as Roofline
    from dispatchcount.hardware.utilization import Utilization as Utilization
    from dispatchcount.integrations.ipython import load_ipython_extension as load_ipython_extension
    from dispatchcount.integrations.meter import Meter as Meter
    from dispatchcount.integrations.throughput import Throughput as Throughput
    from dispatchcount.laws.law_api import Law as Law
    from dispatchcount.laws.make import law as law
    from dispatchcount.laws.polynomial import Polynomial as Polynomial
    from dispatchcount.profiler import Profile as Profile
    from dispatchcount.profiler import kernel as kernel
    from dispatchcount.profiler import profile as profile
    from dispatchcount.report.expert_load import expert_load as expert_load
    from dispatchcount.report.metrics import Stats as Stats
    from dispatchcount.report.rows import OpIssue as OpIssue
    from dispatchcount.report_api import Diff as Diff
    from dispatchcount.report_api import Ranks as Ranks
    from dispatchcount.report_api import Report as Report
    from dispatchcount.rules.core.cost import Cost as Cost
    from dispatchcount.rules.core.register import register as register
    from dispatchcount.rules.core.shape import Shape as Shape

_HOME = {
    "Cost": "rules.core.cost",
    "Device": "hardware.device",
    "DeviceError": "errors",
    "Diff": "report_api",
    "DispatchcountError": "errors",
    "Law": "laws.law_api",
    "LawError": "errors",
    "Meter": "integrations.meter",
    "MissingRanksError": "errors",
    "OpIssue": "report.rows",
    "Polynomial": "laws.polynomial",
    "Profile": "profiler",
    "Ranks": "report_api",
    "Report": "report_api",
    "ReportError": "errors",
    "Roofline": "hardware.roofline",
    "Shape": "rules.core.shape",
    "Stats": "report.metrics",
    "Throughput": "integrations.throughput",
    "UncountedError": "errors",
    "Utilization": "hardware.utilization",
    "device": "hardware.find",
    "devices": "hardware.catalog",
    "expert_load": "report.expert_load",
    "get_model_complexity_info": "compat.mmengine",
    "kernel": "profiler",
    "law": "laws.make",
    "load_ipython_extension": "integrations.ipython",
    "measure_device": "hardware.measure",
    "profile": "profiler",
    "register": "rules.core.register",
}

_PACKAGES = ("distributed",)
"""Packages whose names are used through this one: ``dispatchcount.distributed.plan``."""

__all__ = [
    "Cost",
    "Device",
    "DeviceError",
    "Diff",
    "DispatchcountError",
    "Law",
    "LawError",
    "Meter",
    "MissingRanksError",
    "OpIssue",
    "Polynomial",
    "Profile",
    "Ranks",
    "Report",
    "ReportError",
    "Roofline",
    "Shape",
    "Stats",
    "Throughput",
    "UncountedError",
    "Utilization",
    "__version__",
    "device",
    "devices",
    "distributed",
    "expert_load",
    "get_model_complexity_info",
    "kernel",
    "law",
    "measure_device",
    "profile",
    "register",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"dispatchcount.{name}")
    if name not in _HOME:
        raise AttributeError(
            f"module 'dispatchcount' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}"
        )
    value = getattr(import_module(f"dispatchcount.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
