"""The format of the record in a report's file: what was counted, in columns of many rows.

`format.py` has the other tables.
"""

from __future__ import annotations

from typing import Any

from dispatchcount.report.json.indices import Index, Parent, TextIndex
from dispatchcount.report.json.table import ColumnTable, Stored, Table
from dispatchcount.report.json.types import COUNT, FLAG, TEXT, JsonType, ListOf, Nullable
from dispatchcount.report.metrics import BY_KEY
from dispatchcount.report.rows import PHASES, STATUSES, Entry, ModuleCost, Path
from dispatchcount.rules.core.cost import Cost

PATHS = ColumnTable(
    "paths",
    "The stacks of module calls.",
    (
        Stored(
            "parent",
            Parent("record.paths", "paths", one_root=True),
            "The caller's path, always an earlier one; null for the outermost.",
        ),
        Stored("module", Index("modules"), "The one that was called."),
        Stored("signature", TextIndex(), "Shapes of the call's inputs."),
        Stored("calls", COUNT, "How often."),
        Stored(
            "outputs",
            ListOf(TextIndex()),
            "Distinct shapes of what the calls returned, at most 8; `…` stands for further ones.",
            absent=(),
        ),
    ),
    make=Path,
)


def _cost(key: str, help: str = "", type: JsonType = COUNT, **more: Any) -> Stored:
    """A column of a field of `Cost`. What it means is said by the metric, unless by `help`."""
    return Stored(key, type, help or f"{BY_KEY[key].help}.", of=f"cost.{key}", **more)


COST = (
    _cost("macs"),
    _cost("arithmetic"),
    _cost("transcendentals"),
    _cost("activations"),
    _cost(
        "fvcore",
        "What fvcore's formula adds to the MACs for norms, upsampling, adaptive average pooling "
        "and grid sampling.",
    ),
    _cost("bytes_read", "Bytes of the operands; null where they are not known.", Nullable(COUNT)),
    _cost("bytes_written", "Bytes of the results; null where they are not known.", Nullable(COUNT)),
    _cost("estimate", "True if the counts are a published estimate and not exact.", FLAG),
    _cost("masked_macs", absent=0),
    _cost("recomputed_macs", absent=0),
    _cost("bops", "Bit operations; null where they are not known.", Nullable(COUNT), absent=0),
    _cost("sized_macs", absent=0),
    _cost("payload_bytes", absent=0),
    _cost("wire_bytes", absent=0),
    _cost("nonzero_macs", absent=0),
    _cost("weighed_macs", absent=0),
)
"""The columns of a `Cost`, in whichever table has one."""

ENTRIES = ColumnTable(
    "entries",
    "All calls of one operator on one path that are alike; costs are those of all calls together.",
    (
        Stored("path", Index("record.paths"), "The path."),
        Stored("op", TextIndex(), "The operator."),
        Stored("phase", TextIndex(PHASES), "The phase."),
        Stored("dtype", TextIndex(), "The dtype."),
        Stored("status", TextIndex(STATUSES), "How it was counted."),
        Stored(
            "function",
            TextIndex(),
            'The torch function it ran under; `""` where that was not recorded.',
        ),
        Stored("calls", COUNT, "How often."),
        Stored("time_ns", COUNT, "Nanoseconds in all calls."),
        Stored(
            "group",
            Nullable(Index("groups")),
            "The process group of a collective; null for any other operator.",
            absent=None,
        ),
        Stored(
            "issuer",
            Nullable(Index("modules")),
            "The module that ran when a collective was called, where `path` is that of the module "
            "whose data it moved; null for any other operator.",
            absent=None,
        ),
        Stored(
            "control",
            FLAG,
            "True for a collective that carries no data of the model's: objects that "
            "torch.distributed pickles, metadata that it exchanges, and barriers.",
            absent=False,
        ),
        *COST,
    ),
    make=Entry,
    parts={"cost": Cost},
)

PROFILE = ColumnTable(
    "profile",
    "What each module did by itself in a sample.",
    (
        Stored("module", Index("modules"), "The module."),
        Stored("calls", COUNT, "How often it was called."),
        *COST,
    ),
    make=ModuleCost,
    parts={"cost": Cost},
)

RECORD = Table(
    "record",
    "What was counted, in columns: the nth value of every array of a table belongs to its nth row.",
    (
        Stored("paths", PATHS, PATHS.help),
        Stored("entries", ENTRIES, ENTRIES.help),
        Stored(
            "profiles",
            ListOf(PROFILE),
            "What the modules did in a sample, each distinct outcome once.",
        ),
        Stored(
            "sample_profiles",
            ListOf(Index("record.profiles")),
            "For each of `samples.labels`: what that sample did.",
        ),
        Stored(
            "strings",
            ListOf(TEXT),
            "Texts that the columns of `paths` and `entries` name by their index.",
        ),
    ),
)
