"""Reports made by hand, and a hypothesis strategy for any report at all. No torch: the figures are worked out beside them.

`cnn()` is the plain case; `training()`, `routed()`, `troubled()`, `huge()` and `unequal()` each add what their name says.
`reports()` draws every shape a report can have, unicode and hostile names included.
"""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import strategies as st

from dispatchcount.report.conventions import CONVENTIONS
from dispatchcount.report.rows import (
    COUNTED,
    FAILED,
    FORWARD,
    NO_MODULE,
    PHASES,
    STATUSES,
    UNKNOWN,
    UNSEEN,
    ZERO,
    Entry,
    Memory,
    Meta,
    Module,
    ModuleCost,
    ModuleMemory,
    OpIssue,
    Parameter,
    Path,
    Sample,
)
from dispatchcount.report_api import Report
from dispatchcount.rules.core.cost import Cost

META = Meta("2.8.0", "3.12.1", "0.1.0", 1_750_000_000, ("cpu",), ("float32",), "SmallNet", False)


def weights(module: str, *shapes: tuple[int, ...]) -> tuple[Parameter, ...]:
    """A weight and a bias of these shapes, named as `module`'s."""
    rows = []
    for kind, shape in zip(("weight", "bias"), shapes, strict=False):
        numel = 1
        for size in shape:
            numel *= size
        rows.append(Parameter(f"{module}.{kind}", shape, numel))
    return tuple(rows)


def cost(
    macs: int = 0,
    arithmetic: int = 0,
    activations: int = 0,
    read: int = 0,
    written: int = 0,
    **more: int,
) -> Cost:
    """A cost with its bytes set."""
    return Cost(
        macs,
        arithmetic,
        more.get("transcendentals", 0),
        activations,
        more.get("fvcore", 0),
        read,
        written,
        bool(more.get("estimate", 0)),
    )


def entry(
    path: int,
    op: str,
    what: Cost,
    calls: int = 1,
    phase: str = FORWARD,
    status: str = COUNTED,
    time_ns: int = 0,
) -> Entry:
    """What an operator did, in float32."""
    return Entry(path, op, phase, "float32", status, "", calls, what, time_ns)


def cnn() -> Report:
    """One (1, 3, 8, 8) image through conv 3→8, batch norm, ReLU, mean over the plane and a Linear 8→10; `aux` never runs."""
    modules = (
        Module(NO_MODULE, ""),
        Module("", "SmallNet"),
        Module("features", "Sequential", 1, container=True),
        Module(
            "features.0",
            "Conv2d",
            2,
            "3, 8, kernel_size=(3, 3), padding=(1, 1)",
            (),
            weights("features.0", (8, 3, 3, 3), (8,)),
        ),
        Module(
            "features.1", "BatchNorm2d", 2, "8, eps=1e-05", (), weights("features.1", (8,), (8,))
        ),
        Module("features.2", "ReLU", 2, "inplace=True"),
        Module(
            "head",
            "Linear",
            1,
            "in_features=8, out_features=10",
            (),
            weights("head", (10, 8), (10,)),
        ),
        Module(
            "aux", "Linear", 1, "in_features=8, out_features=2", (), weights("aux", (2, 8), (2,))
        ),
    )
    image, plane, vector = "(1, 3, 8, 8)", "(1, 8, 8, 8)", "(1, 8)"
    paths = (
        Path(-1, 0),
        Path(0, 1, image, 1),
        Path(1, 2, image, 1),
        Path(2, 3, image, 1),
        Path(2, 4, plane, 1),
        Path(2, 5, plane, 1),
        Path(1, 6, vector, 1),
    )
    entries = (
        # 1·8·8·8 = 512 outputs of 3·3·3 = 27 MACs; reads 192 + 216 + 8 floats, writes 512
        entry(3, "aten.convolution", cost(512 * 27, 512, 512, 416 * 4, 512 * 4)),
        # a scale and a shift for each of 512 elements, which is fvcore's figure as well
        entry(4, "aten.native_batch_norm", cost(0, 1024, 0, (512 + 32) * 4, 512 * 4, fvcore=1024)),
        entry(5, "aten.relu_", cost(0, 512, 0, 512 * 4, 512 * 4)),
        entry(1, "aten.mean", cost(0, 512, 0, 512 * 4, 8 * 4)),
        entry(6, "aten.t", cost(), status=ZERO),
        # 1·10 outputs of 8 MACs and a bias add
        entry(6, "aten.addmm", cost(80, 10, 10, (8 + 80 + 10) * 4, 10 * 4)),
    )
    return Report(META, "fvcore", modules, paths, entries)


def training() -> Report:
    """`cnn()` trained for a step: backward, an optimizer outside every module, time and memory measured."""
    report = cnn()
    entries = tuple(replace(e, time_ns=1000 * (i + 1)) for i, e in enumerate(report.entries))
    entries += (
        entry(
            3,
            "aten.convolution_backward",
            cost(2 * 512 * 27, 512, 0, 4000, 1800),
            phase="backward",
            time_ns=9000,
        ),
        entry(6, "aten.mm", cost(2 * 80, 0, 0, 700, 360), 2, "backward", time_ns=2500),
        entry(
            0,
            "aten._foreach_add_",
            cost(0, 348 * 2, 0, 348 * 8, 348 * 4),
            1,
            "optimizer",
            time_ns=1_500_000,
        ),
    )
    meta = replace(
        report.meta,
        training=True,
        devices=("cuda:0", "cpu"),
        labels=(("commit", "1f3a"), ("model", "small")),
    )
    memory = Memory(
        (ModuleMemory(3, 896, 896, 1792, 2048), ModuleMemory(6, 360, 360, 720, 32)),
        9_876_543,
        "features.0",
        "aten.convolution",
    )
    return replace(report, meta=meta, entries=entries, memory=memory)


def routed() -> Report:
    """Four inputs through a net that takes the expensive `right` branch for one of them, and shares `norm`."""
    modules = (
        Module(NO_MODULE, ""),
        Module("", "Router"),
        Module("left", "Linear", 1, "4, 4", (), weights("left", (4, 4))),
        Module("right", "Linear", 1, "4, 400", (), weights("right", (400, 4))),
        Module(
            "norm", "LayerNorm", 1, "(4,)", ("left_norm", "right_norm"), weights("norm", (4,), (4,))
        ),
    )
    paths = (
        Path(-1, 0),
        Path(0, 1, "(1, 4)", 4),
        Path(1, 2, "(1, 4)", 3),
        Path(1, 3, "(1, 4)", 1),
        Path(1, 4, "(1, 4)", 4),
    )
    left, right, norm = (
        cost(16, 0, 4, 80, 16),
        cost(1600, 0, 400, 6416, 1600),
        cost(0, 8, 0, 48, 16, fvcore=20),
    )
    entries = (
        entry(2, "aten.mm", left * 3, 3),
        entry(3, "aten.mm", right),
        entry(4, "aten.native_layer_norm", norm * 4, 4),
    )
    profiles = (
        (ModuleCost(1, 1, cost()), ModuleCost(2, 1, left), ModuleCost(4, 1, norm)),
        (ModuleCost(1, 1, cost()), ModuleCost(3, 1, right), ModuleCost(4, 1, norm)),
    )
    samples = tuple(Sample(f"image-{i}", int(i == 2)) for i in range(4))
    return Report(
        replace(META, model="Router"), "fvcore", modules, paths, entries, (), samples, profiles
    )


HOSTILE = ("[bold red]x[/]", "a|b`c", "ключ.值.🔑", "two\nlines\x1b[31m", '=cmd("x")', "a" * 120)
"""Names that break a careless renderer: markup, Markdown, wide characters, control characters, a formula, one too long."""


def troubled() -> Report:
    """Everything that can go wrong in one block, under hostile names."""
    modules = (
        Module(NO_MODULE, ""),
        Module("", "Odd[Net]"),
        *(
            Module(name, "Weird[b]", 1, "first line\nsecond [line]", (f"also.{name}",))
            for name in HOSTILE
        ),
        Module("lost", "Linear", 1, "", (), weights("lost", (3, 3))),
        Module("lost.inner", "Linear", 8, "", (), weights("lost.inner", (2, 2))),
    )
    paths = (
        Path(-1, 0),
        Path(0, 1, "", 1),
        *(Path(1, 2 + i, "[1]\n", 1) for i in range(len(HOSTILE))),
    )
    entries = (
        entry(0, "aten.randn", cost(written=400), status=ZERO),
        entry(2, "aten.linalg_svd", cost(1000, 20, 0, 400, 400, estimate=1)),
        entry(3, "mylib.[attn]", cost(read=64, written=64), 3, status=UNKNOWN),
        entry(4, "mylib.broken", cost(read=8, written=8), status=FAILED),
        entry(5, "aten.mm", cost(5000, 0, 50, 300, 200)),
        entry(6, "aten.empty", cost(written=512), status=UNSEEN),
    )
    issues = (
        OpIssue(
            "mylib.[attn]",
            UNKNOWN,
            3,
            (HOSTILE[1], ""),
            ("float32[4, 4], float32[4]",),
            "no rule and no decomposition",
            128,
        ),
        OpIssue(
            "mylib.broken",
            FAILED,
            1,
            (HOSTILE[2],),
            (),
            "ValueError: expected 2 tensors,\ngot 1",
            16,
        ),
        OpIssue(
            "aten.empty filled by nobody",
            UNSEEN,
            1,
            (HOSTILE[4],),
            (),
            "a kernel wrote it outside the dispatcher",
            512,
        ),
    )
    meta = replace(
        META,
        model="Odd[Net]",
        stopped_in=HOSTILE[3],
        error="RuntimeError: boom",
        notes=("Replayed a CUDA graph.",),
    )
    return Report(meta, "torch", modules, paths, entries, issues)


def huge() -> Report:
    """`cnn()` with counts beyond 64 bits."""
    report = cnn()
    entries = tuple(
        replace(e, calls=e.calls * 10**25, cost=e.cost * 10**25) for e in report.entries
    )
    return replace(report, entries=entries)


def stack(blocks: int, per_block: int = 3) -> Report:
    """A transformer-like net: `encoder.layers.N.partM`, the last module of each block 7 levels deep."""
    modules = [Module(NO_MODULE, ""), Module("", "Net"), Module("encoder", "Encoder", 1)]
    modules.append(Module("encoder.layers", "ModuleList", 2, container=True))
    paths = [Path(-1, 0), Path(0, 1, "(1, 8)", 1), Path(1, 2, "(1, 8)", 1)]
    entries = []
    for block in range(blocks):
        name = f"encoder.layers.{block}"
        modules.append(Module(name, "Block", 3))
        parent = len(modules) - 1
        paths.append(Path(2, parent, "(1, 8)", 1))
        above = len(paths) - 1
        for part in range(per_block):
            modules.append(
                Module(
                    f"{name}.part{part}",
                    "Linear",
                    parent,
                    "",
                    (),
                    weights(f"{name}.part{part}", (8, 8)),
                )
            )
            paths.append(Path(above, len(modules) - 1, "(1, 8)", 1))
            entries.append(entry(len(paths) - 1, "aten.mm", cost(64 * (part + 1), 0, 8, 288, 32)))
    return Report(META, "fvcore", tuple(modules), tuple(paths), tuple(entries))


def unequal(number: int) -> Report:
    """So many modules, ten below each, of which no two have a name, a shape or a figure in common."""
    draw = random.Random(0)
    modules, paths, entries = [Module(NO_MODULE, "")], [Path(-1, 0)], []
    for index in range(1, number + 1):
        above = (index + 8) // 10 if index > 1 else -1  # of 2 to 11 it is 1, of 12 to 21 it is 2
        name = f"{modules[above].name}.m{index}".lstrip(".") if index > 1 else ""
        rows, columns = draw.randrange(1, 5000), draw.randrange(1, 5000)
        extra = f"in_features={columns}, out_features={rows}, bias=True"
        held = weights(name, (rows, columns))
        modules.append(Module(name, "Linear" if index > 1 else "Net", above, extra, (), held))
        paths.append(Path(max(above, 0), index, f"({draw.randrange(10**4)}, {columns})", 1))
        figures = [draw.randrange(10**digits) for digits in (9, 8, 7, 8, 8)]
        entries.append(entry(index, "aten.addmm", cost(*figures)))
    return Report(META, "fvcore", tuple(modules), tuple(paths), tuple(entries))


_TEXT = st.one_of(st.text(max_size=8), st.sampled_from(HOSTILE))
_COUNT = st.one_of(
    st.integers(0, 1000), st.integers(0, 2**80), st.sampled_from([2**53, 2**63 - 1, 2**63, 2**64])
)
_COST = st.builds(
    Cost,
    _COUNT,
    _COUNT,
    _COUNT,
    _COUNT,
    _COUNT,
    st.one_of(st.none(), _COUNT),
    st.one_of(st.none(), _COUNT),
    st.booleans(),
)


def _tuple(items: st.SearchStrategy, most: int = 3) -> st.SearchStrategy:  # type: ignore[type-arg]
    return st.lists(items, max_size=most).map(tuple)


_PARAMETER = st.builds(
    Parameter, _TEXT, _tuple(st.integers(0, 9)), _COUNT, _TEXT, st.booleans(), st.one_of(st.none(), _TEXT), st.one_of(st.none(), _COUNT), st.one_of(st.none(), _COUNT)
)  # fmt: skip
_META = st.builds(
    Meta,
    _TEXT,
    _TEXT,
    _TEXT,
    st.integers(0, 2**40),
    _tuple(_TEXT),
    _tuple(_TEXT),
    _TEXT,
    st.sampled_from([None, True, False]),
    st.one_of(st.none(), _TEXT),
    st.one_of(st.none(), _TEXT),
    st.dictionaries(_TEXT, _TEXT, max_size=3).map(lambda labels: tuple(labels.items())),
    _tuple(_TEXT),
)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any report that holds together: names are unique, every index points at an earlier row."""
    names = [
        NO_MODULE,
        "",
        *draw(st.lists(_TEXT.filter(lambda t: t not in ("", NO_MODULE)), unique=True, max_size=5)),
    ]
    modules = tuple(
        Module(
            name,
            draw(_TEXT),
            draw(st.integers(1, i - 1)) if i > 1 and draw(st.booleans()) else -1,
            draw(_TEXT),
            draw(_tuple(_TEXT, 2)),
            draw(_tuple(_PARAMETER, 2)),
            draw(st.booleans()),
        )
        for i, name in enumerate(names)
    )
    module = st.integers(0, len(modules) - 1)
    paths = (Path(-1, 0),)
    for i in range(1, draw(st.integers(1, 5))):
        paths += (Path(draw(st.integers(0, i - 1)), draw(module), draw(_TEXT), draw(_COUNT)),)
    path = st.integers(0, len(paths) - 1)
    entries = draw(
        _tuple(
            st.builds(
                Entry,
                path,
                _TEXT,
                st.sampled_from(PHASES),
                _TEXT,
                st.sampled_from(STATUSES),
                _TEXT,
                _COUNT,
                _COST,
                _COUNT,
            ),
            5,
        )
    )
    issues = draw(
        _tuple(
            st.builds(
                OpIssue,
                _TEXT,
                st.sampled_from([UNKNOWN, FAILED, UNSEEN]),
                _COUNT,
                _tuple(_TEXT),
                _tuple(_TEXT),
                _TEXT,
                _COUNT,
            )
        )
    )
    profiles = draw(_tuple(_tuple(st.builds(ModuleCost, module, _COUNT, _COST)), 2))
    samples = (
        draw(_tuple(st.builds(Sample, _TEXT, st.integers(0, len(profiles) - 1))))
        if profiles
        else ()
    )
    memory = draw(
        st.one_of(
            st.none(),
            st.builds(
                Memory,
                _tuple(st.builds(ModuleMemory, module, _COUNT, _COUNT, _COUNT, _COUNT)),
                _COUNT,
                _TEXT,
                _TEXT,
            ),
        )
    )
    convention = draw(st.sampled_from(sorted(CONVENTIONS)))
    return Report(
        draw(_META), convention, modules, paths, entries, issues, samples, profiles, memory
    )
