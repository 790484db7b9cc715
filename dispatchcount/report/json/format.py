"""The format of a report's file: every table, every column, its type and what it means.

This, `module_format.py` and `record_format.py` are the only description of the format. The writer
(`write.py`), the reader with its errors (`read.py`), the JSON schema (`schema.py`) and docs/json.md
follow from it.

To add a field, add a `Stored` line with an `absent` value to its table and an attribute of that
name to the row class, then run ``python docs/make_json.py``. A field that changes or goes makes a
new `VERSION`, with a function in `migrations.py`.
"""

from __future__ import annotations

from dispatchcount.report.conventions import CONVENTIONS
from dispatchcount.report.json.module_format import (
    DISTRIBUTION,
    FIGURES,
    MEMORY,
    MODULE,
    MODULE_MEMORY,
    PARAMETER,
    SAMPLED_MODULE,
    SAMPLES,
)
from dispatchcount.report.json.record_format import ENTRIES, PATHS, PROFILE, RECORD
from dispatchcount.report.json.table import Derived, RowTable, Stored, Table
from dispatchcount.report.json.types import (
    COUNT,
    FLAG,
    TEXT,
    ByName,
    Constant,
    Integer,
    ListOf,
    Nullable,
    OneOf,
)
from dispatchcount.report.metrics import BY_KEY
from dispatchcount.report.rows import (
    FAILED,
    PHASES,
    STATUSES,
    UNKNOWN,
    UNSEEN,
    Meta,
    OpIssue,
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
