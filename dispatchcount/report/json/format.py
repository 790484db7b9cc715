"""The format of a report's file: every table, every column, its type and what it means.

This and `record_format.py` are the only description of the format. The writer (`write.py`), the
reader with its errors (`read.py`), the JSON schema (`schema.py`) and docs/json.md follow from it.

To add a field, add a `Stored` line with an `absent` value to its table and an attribute of that
name to the row class, then run ``python docs/make_json.py``. A field that changes or goes makes a
new `VERSION`, with a function in `migrations.py`.
"""

from __future__ import annotations

from dispatchcount.report.conventions import CONVENTIONS
from dispatchcount.report.json.indices import Index, Parent
from dispatchcount.report.json.record_format import ENTRIES, PATHS, PROFILE, RECORD
from dispatchcount.report.json.table import Derived, RowTable, Stored, Table
from dispatchcount.report.json.types import (
    COUNT,
    COUNT_OR_MEAN,
    FLAG,
    FLOAT,
    TEXT,
    ByName,
    Constant,
    Integer,
    ListOf,
    Nullable,
    OneOf,
)
from dispatchcount.report.metrics import BY_KEY, METRICS
from dispatchcount.report.rows import (
    FAILED,
    PHASES,
    STATUSES,
    UNKNOWN,
    UNSEEN,
    Memory,
    Meta,
    Module,
    ModuleMemory,
    OpIssue,
    Parameter,
)
from dispatchcount.rules.core.group import Group

SCHEMA = "dispatchcount.report"
VERSION = 1

LATEST = 8_640_000_000_000
"""The last second that JavaScript, which shows it, has a date for."""

ABOUT = (
    "What `Report.to_json()` writes. Everything but `record` is there to be read: totals, and a "
    "row for each module, operator, phase and dtype. `record` and the rows it points at hold what "
    "was counted, and `Report.from_json()` builds the same report again from it; figures are then "
    "worked out anew. Fields may be added within a version; a field that changes or goes makes a "
    "new version, and files of older versions are still read."
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

META = RowTable(
    "meta",
    "What was profiled, and with what.",
    (
        Stored("torch", TEXT, "Version of torch."),
        Stored("python", TEXT, "Version of Python."),
        Stored("dispatchcount", TEXT, "Version of dispatchcount."),
        Stored("created", Integer(most=LATEST), "When the block ended, seconds since 1970, UTC."),
        Stored("devices", ListOf(TEXT), "Devices of the tensors that operators touched."),
        Stored("dtypes", ListOf(TEXT), "Dtypes of the tensors that operators touched."),
        Stored("model", TEXT, "Class names of the roots."),
        Stored(
            "training",
            Nullable(FLAG),
            "True if the first root was in train mode when the block began; null without a root.",
        ),
        Stored(
            "stopped_in",
            Nullable(TEXT),
            "The module in which an exception left the block; null where none did.",
        ),
        Stored("error", Nullable(TEXT), "That exception's text."),
        Stored("labels", ByName(TEXT), "What the user says of the run."),
        Stored("notes", ListOf(TEXT), "Limits that the run met, a sentence each."),
    ),
    make=Meta,
)

CONVENTION = Table(
    "",
    "How flops follow from what was counted.",
    (
        Stored(
            "name",
            OneOf(tuple(CONVENTIONS)),
            "The convention that every `flops` in the file follows.",
        ),
        Derived("unit", TEXT, "What a flop is under it, in a line."),
    ),
)

OPERATOR = Table(
    "operator",
    "An operator. It has the fields of `figures` too.",
    (
        Derived("op", TEXT, "Its name, `aten.convolution`."),
        Derived(
            "statuses",
            ListOf(OneOf(STATUSES)),
            "How its calls were counted: counted, zero by definition, unknown (no rule), failed "
            "(the rule raised), unseen (written by a kernel outside the dispatcher).",
        ),
        *FIGURES.fields,
    ),
    includes=FIGURES,
)

ISSUE = RowTable(
    "issue",
    "An operator that could not be counted.",
    (
        Stored(
            "op", TEXT, "The operator, or for an unseen kernel a description of what was filled."
        ),
        Stored("status", OneOf((UNKNOWN, FAILED, UNSEEN)), "What is the matter."),
        Stored("calls", COUNT, "How often it ran."),
        Stored("modules", ListOf(TEXT), "Names of the modules it ran in."),
        Stored("shapes", ListOf(TEXT), "Up to 8 distinct argument lists."),
        Stored("message", TEXT, "Why: the reason, or what the rule raised."),
        Stored(
            "nbytes", COUNT, "Bytes read and written by all calls, to judge how much is missing."
        ),
    ),
    make=OpIssue,
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

GROUP = RowTable(
    "group",
    "A process group.",
    (
        Stored("name", TEXT, "What torch.distributed calls it; empty if the call named none."),
        Stored(
            "ranks",
            ListOf(COUNT),
            "The global ranks of its members, in the order of their ranks in the group; none if "
            "the group was not to be found.",
        ),
        Stored(
            "dimension",
            TEXT,
            "The dimension of a device mesh that it was made for; empty for none.",
        ),
    ),
    make=Group,
)

TRAFFIC = Table(
    "traffic",
    "What some collectives sent.",
    (
        Derived("calls", COUNT, "How often they were called."),
        Derived("payload_bytes", COUNT, f"{BY_KEY['payload_bytes'].help}."),
        Derived("wire_bytes", COUNT, f"{BY_KEY['wire_bytes'].help}."),
    ),
)

COLLECTIVE = Table(
    "collective",
    "An operator that moves data among the ranks of a group. It has the fields of `traffic` too.",
    (
        Derived("op", TEXT, "The operator, `c10d.allreduce_`."),
        Derived("group", COUNT, "The index of its group in `groups`."),
        Derived(
            "control",
            FLAG,
            "True if it carried no data of the model's: objects, metadata, barriers.",
        ),
        Derived(
            "payload_of",
            TEXT,
            "What the payload is: `input`, what the rank hands in, or `output`, what it gets back; "
            "empty for an operator that is not torch's.",
        ),
        *TRAFFIC.fields,
        Derived("modules", ByName(TRAFFIC), "The same by the module whose data moved."),
        Derived("issued_by", ByName(TRAFFIC), "The same by the module that ran then."),
        Derived("phases", ByName(TRAFFIC), "The same by phase."),
    ),
    includes=TRAFFIC,
)

REPORT = Table(
    "",
    ABOUT,
    (
        Derived("schema", Constant(SCHEMA), "Says what the file is."),
        Derived("version", Constant(VERSION), "Version of this schema."),
        Stored("meta", META, "What was profiled, and with what."),
        Stored("convention", CONVENTION, "How flops follow from what was counted."),
        Derived("total", FIGURES, "The whole block."),
        Derived(
            "batch",
            Nullable(COUNT),
            "How many samples the block ran: the first size of the first input of the root, over "
            "all its calls; null where that is not known.",
            later=True,
        ),
        Derived(
            "phases",
            ByName(FIGURES),
            f"Figures by phase, those that occurred: {', '.join(PHASES)}.",
        ),
        Derived(
            "dtypes",
            ByName(FIGURES),
            'Figures by the dtype that operators worked in; `""` for those without a tensor.',
        ),
        Derived("operators", ListOf(OPERATOR), "Figures by operator, most flops first."),
        Derived(
            "unknown_ops",
            ListOf(TEXT),
            "Names of operators that ran and have no rule, and kernels that no dispatcher saw. "
            "Their cost is in no figure; details are in `issues`.",
        ),
        Derived(
            "failed_ops",
            ListOf(TEXT),
            "Names of operators whose rule failed. Their cost is in no figure; details are in "
            "`issues`.",
        ),
        Derived(
            "uncalled_modules",
            ListOf(TEXT),
            "Names of modules that did nothing: never called, and their parameters used by no "
            "operator of another module. Pure containers are left out.",
        ),
        Stored("issues", ListOf(ISSUE), "What could not be counted."),
        Stored(
            "samples",
            Nullable(SAMPLES),
            "The inputs of a block that was told of them; null where there were none.",
        ),
        Stored(
            "memory", Nullable(MEMORY), "Bytes held by tensors; null where that was not measured."
        ),
        Stored(
            "modules",
            ListOf(MODULE),
            "Every module, called or not, a module always after its parent. The first stands for "
            "work outside every module.",
        ),
        Stored(
            "groups",
            ListOf(GROUP),
            "The process groups that collectives were called with.",
            absent=(),
        ),
        Derived(
            "collectives",
            ListOf(COLLECTIVE),
            "What was sent between ranks, by operator and group.",
            later=True,
        ),
        Stored("record", RECORD, "What was counted, to build the report from again."),
    ),
)

TABLES: tuple[Table, ...] = (
    FIGURES,
    META,
    OPERATOR,
    ISSUE,
    MODULE,
    PARAMETER,
    SAMPLES,
    SAMPLED_MODULE,
    DISTRIBUTION,
    MEMORY,
    MODULE_MEMORY,
    GROUP,
    COLLECTIVE,
    TRAFFIC,
    RECORD,
    PATHS,
    ENTRIES,
    PROFILE,
)
"""The tables that have a name, in the order in which docs/json.md explains them."""
