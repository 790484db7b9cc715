"""The format of what a report's file says of modules: figures, parameters, samples and memory.

`format.py` has the other tables, and says how a field is added.
"""

from __future__ import annotations

from dispatchcount.report.json.indices import Index, Parent
from dispatchcount.report.json.table import Derived, RowTable, Stored, Table
from dispatchcount.report.json.types import (
    COUNT,
    COUNT_OR_MEAN,
    FLAG,
    FLOAT,
    TEXT,
    ByName,
    Integer,
    ListOf,
    Nullable,
)
from dispatchcount.report.metrics import METRICS
from dispatchcount.report.rows import (
    Memory,
    Module,
    ModuleMemory,
    Parameter,
)

_FIRST_METRICS = (
    "flops", "macs", "arithmetic", "transcendentals", "activations", "params",
    "bytes_read", "bytes_written", "calls", "time_ns",
)  # fmt: skip
"""The metrics that the first files of version 1 had. All others came later."""

FIGURES = Table(
    "figures",
    "A row of figures. Each includes what modules below did, where there are any. `params` is 0 "
    "where the row is not a module's.",
    (
        *(
            Derived(metric.key, COUNT, f"{metric.help}.", later=metric.key not in _FIRST_METRICS)
            for metric in METRICS
        ),
        Derived("estimate", FLAG, "True if an estimate is part of flops."),
        Derived(
            "estimate_elementwise",
            FLAG,
            "True if an estimate is part of arithmetic or transcendentals.",
        ),
    ),
)

PARAMETER = RowTable(
    "parameter",
    "A parameter of a module.",
    (
        Stored("name", TEXT, "Full dotted name."),
        Stored("shape", ListOf(COUNT), "Its sizes."),
        Stored("numel", COUNT, "Its elements."),
        Stored("dtype", TEXT, "Its dtype."),
        Stored("trainable", FLAG, "True if it requires a gradient."),
        Stored(
            "tied_to",
            Nullable(TEXT),
            "First name of the same tensor, where this is a later one; null otherwise.",
        ),
        Stored(
            "nonzero",
            Nullable(COUNT),
            "Its elements that are not zero; null where they were not read.",
            absent=None,
        ),
        Stored(
            "local",
            Nullable(COUNT),
            "Its elements that the profiled rank holds, without padding; null where that is all "
            "of them.",
            absent=None,
        ),
    ),
    make=Parameter,
)

MODULE = RowTable(
    "module",
    "A module. It has the fields of `figures` too.",
    (
        Stored("name", TEXT, 'Full dotted name, `""` for the root. No two modules have the same.'),
        Stored("type", TEXT, "Class name."),
        Stored("parent", Parent("modules", "modules"), "The row above; null for a top row."),
        Stored("extra", TEXT, "What `extra_repr` says."),
        Stored("aliases", ListOf(TEXT), "Other names of the same module."),
        Stored("container", FLAG, "True if it only holds others."),
        Stored(
            "fused",
            FLAG,
            "True if it was not called, and operators of a module around it used its parameters.",
            absent=False,
        ),
        Stored("parameters", ListOf(PARAMETER), "The parameters that it holds itself."),
        *FIGURES.fields,
        Derived(
            "trainable",
            COUNT,
            "Elements of its parameters that require a gradient, with those of the modules below.",
            later=True,
        ),
        Derived(
            "local_params",
            COUNT,
            "Elements of its parameters and of those below it that the profiled rank holds, "
            "without padding.",
            later=True,
        ),
        Derived(
            "param_bytes",
            COUNT,
            "Bytes of its parameters, each in its own dtype, with those of the modules below.",
            later=True,
        ),
        Derived(
            "inputs",
            ByName(COUNT),
            "Shapes of its inputs, and with how many calls each came.",
            later=True,
        ),
        Derived("outputs", ListOf(TEXT), "Distinct shapes of what it returned.", later=True),
        Derived("self", FIGURES, "The same figures without the modules below it."),
    ),
    make=Module,
    includes=FIGURES,
)

DISTRIBUTION = Table(
    "distribution",
    "A distribution over the samples.",
    (
        Derived("mean", FLOAT, "The mean."),
        Derived("std", FLOAT, "The standard deviation of the population."),
        Derived("min", COUNT, "The least."),
        Derived("median", COUNT_OR_MEAN, "The median."),
        Derived("p95", COUNT, "The 95th percentile, nearest rank."),
        Derived("max", COUNT, "The most."),
    ),
)

SAMPLED_MODULE = Table(
    "sampled_module",
    "A module over the samples.",
    (
        Derived("name", TEXT, "Full dotted name."),
        Derived("execution_rate", FLOAT, "Share of the samples in which it ran, 0 to 1."),
        Derived("calls_per_sample", FLOAT, "Mean number of calls."),
        Derived("flops", DISTRIBUTION, "The distribution of its flops, 0 where it did not run."),
    ),
)

SAMPLES = Table(
    "samples",
    "Many inputs, each counted on its own.",
    (
        Derived("count", Integer(least=1), "How many there were."),
        Derived("flops", DISTRIBUTION, "The distribution of flops over them."),
        Derived("modules", ListOf(SAMPLED_MODULE), "How each module fared."),
        Stored("labels", ListOf(TEXT), "The samples' labels, in the order they ran."),
        Derived("sample_flops", ListOf(COUNT), "Flops of each, in the same order."),
    ),
)

MODULE_MEMORY = RowTable(
    "module_memory",
    "Bytes that a module holds itself, without its children.",
    (
        Stored("module", Index("modules"), "The module."),
        Derived("name", TEXT, "Its name."),
        Stored("parameters", COUNT, "Bytes of its parameters."),
        Stored(
            "gradients",
            COUNT,
            "Bytes of their gradients, at the end of the block or when an optimizer used them, "
            "whichever is more.",
        ),
        Stored("optimizer", COUNT, "Bytes of the optimizer's state for them, at most."),
        Stored(
            "saved",
            COUNT,
            "Bytes that autograd held for the backward pass because of it, at most at once.",
        ),
    ),
    make=ModuleMemory,
)

MEMORY = RowTable(
    "memory",
    "Bytes by kind and module.",
    (
        Stored(
            "peak",
            COUNT,
            "Most bytes of tensor storage alive at once, in storages that the block touched.",
        ),
        Stored("peak_module", TEXT, "The module in which that was."),
        Stored(
            "peak_op", TEXT, "The operator at which that was; empty if it was before the first."
        ),
        Stored("modules", ListOf(MODULE_MEMORY), "A row for each module that holds any."),
    ),
    make=Memory,
)
