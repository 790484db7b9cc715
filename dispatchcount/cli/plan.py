"""``dispatchcount plan``: what a rank of a cluster does in a step, without the cluster."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dispatchcount.cli.common import add_convention, emit, how_many, load_torch, show, usage
from dispatchcount.cli.paths import html_output, inputs, output
from dispatchcount.cli.running import progress
from dispatchcount.distributed.work import WAYS
from dispatchcount.errors import UsageError

if TYPE_CHECKING:
    from dispatchcount.distributed import Plan
    from dispatchcount.distributed.mesh import Mesh
    from dispatchcount.hardware.device import Device

NEEDED = ("build", "step")
OPTIONAL = ("parallelize", "optimizer", "load", "samples")
FORMATS = ("table", "markdown")


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser = subparsers.add_parser(
        "plan",
        help="what a rank of a cluster computes, stores and sends, without the cluster",
        description=(
            "Runs a step as one rank of a cluster, in this process, on tensors without values. FILE"
            " defines build(), which returns the model; parallelize(model, mesh), which returns it"
            " as it is trained; step(model), which makes its inputs and runs a step; and if wanted"
            " optimizer(parameters), with which the step is called as step(model, optimizer), and"
            " load, the tokens by expert that are assumed, and samples(mesh), how many samples all"
            " ranks of a mesh, ranks by name, work on in a step."
        ),
        epilog="examples: dispatchcount plan train.py --mesh dp=128,tp=8 --device h100-sxm    "
        "dispatchcount plan train.py --mesh dp=1024 --mesh dp=128,tp=8 --device h100-sxm",
    )
    parser.add_argument("file", metavar="FILE", help="a Python file, or a module by its name")
    parser.add_argument(
        "--mesh",
        action="append",
        required=True,
        metavar="DIMS",
        help="ranks by dimension, the outermost first: dp=128,tp=8; repeat to compare meshes",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--rank", type=int, default=0, metavar="N", help="the rank to be; 0 by default"
    )
    which.add_argument(
        "--ranks",
        metavar="LIST",
        help="plan each of these ranks of one mesh, 0,8,16 or all, and show them side by side",
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="what each rank is: h100-sxm … as `dispatchcount devices` lists them;"
        " adds least times, and if it fits",
    )
    parser.add_argument(
        "--interconnect",
        metavar="RATE",
        help="bytes a second of a rank's link, both directions together, instead of the device's:"
        " 100e9, or by dimension dp=100e9,tp=900e9",
    )
    parser.add_argument(
        "--by",
        choices=WAYS,
        help="what the times of several meshes are divided by before they are sorted: samples,"
        " MACs of the forward on all ranks, or nothing; the first that FILE allows by default",
    )
    parser.add_argument(
        "--schedule",
        metavar="NAME",
        help="also say how long the ranks of a pipeline wait: gpipe, 1f1b, interleaved, looped-bfs,"
        " zb-h1, interleaved-zb, zb-h2, zbv, dualpipev; ranks are the mesh's dimension pp",
    )
    parser.add_argument(
        "--microbatches", type=int, metavar="M", help="micro-batches of a step, for --schedule"
    )
    parser.add_argument(
        "--virtual",
        type=int,
        metavar="V",
        help="stages of each rank, for schedules that have several",
    )
    parser.add_argument(
        "--top", type=how_many, default=15, metavar="N", help="modules with times, or all"
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="how it is shown")
    parser.add_argument("--json", metavar="FILE", help="save the plan of one mesh there")
    parser.add_argument(
        "--html",
        metavar="FILE",
        help="also write a page there, for any browser: of the rank, or of all --ranks",
    )
    add_convention(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plan each mesh, save, and show."""
    from dispatchcount.distributed.mesh import mesh_of, rank_in

    # 1. What is wrong with the arguments is said before torch is loaded and code of FILE runs.
    meshes = [mesh_of(text) for text in args.mesh]
    for mesh in meshes:
        rank_in(mesh, args.rank)
    ranks = None if args.ranks is None else _ranks(args, meshes)
    read = inputs(args.file) if args.file.endswith(".py") else ()
    saved = output(args.json, read)
    if args.json is not None and len(meshes) > 1:
        raise UsageError("--json saves one plan; give one --mesh with it")
    page = html_output(args.html, read, saved)
    if page is not None and len(meshes) > 1:
        raise UsageError(
            "--html is a page of one mesh; give one --mesh with it, and run the command once more "
            "for each other mesh"
        )
    device = _device(args)
    rates = _interconnect(args.interconnect)
    if rates is not None and device is None:
        raise UsageError("--interconnect is the link of a device; give --device too")
    waiting = [_waiting(args, mesh) for mesh in meshes]
    # 2. The plans.
    if ranks is None:
        wanted = [(mesh, args.rank) for mesh in meshes]
    else:
        wanted = [(meshes[0], rank) for rank in ranks]
    plans = _plans(args, wanted)
    # 3. They are saved before they are shown: a reader of the table may go away.
    if args.json is not None:
        emit(plans[0].to_json(), saved)
        if saved is None:
            return 0
    if ranks is None:
        if page is not None:
            emit(plans[0].to_html(device=device), page)
        _show(args, plans, device, rates)
    else:
        _show_job(plans, page)
    lines = [line for line in waiting if line]
    if lines:
        emit("\n" + "\n".join(lines), None)
    return 0


def _show(
    args: argparse.Namespace,
    plans: list[Plan],
    device: Device | None,
    rates: float | dict[str, float] | None,
) -> None:
    """Show a plan, or the plans of several meshes side by side."""
    from dispatchcount.distributed.comparison import compare

    found = compare(plans, device, rates, args.by)
    with usage():
        if args.format == "markdown":
            emit((plans[0] if len(plans) == 1 else found).to_markdown(), None)
        elif len(plans) > 1:
            show(found.table())
        else:
            show(plans[0].table())
            if found.times:
                emit("", None)
                show(found.times[0].table(args.top))


def _show_job(plans: list[Plan], page: str | None) -> None:
    """Show several ranks of a mesh side by side; write their page to `page`, if given."""
    from dispatchcount.report_api import Report

    with usage():
        job = Report.merge([plan.labelled for plan in plans], axis="rank")
        if page is not None:
            emit(job.to_html(), page)
        show(job.table())


def _ranks(args: argparse.Namespace, meshes: list[Mesh]) -> list[int]:
    """The ranks that ``--ranks`` names, in ascending order.

    Raises:
        UsageError: they are not understood, are not in the mesh, or another option is for one plan.
    """
    from dispatchcount.distributed.mesh import rank_in

    if len(meshes) > 1:
        raise UsageError(
            "--ranks shows ranks of one mesh side by side; give one --mesh with it, or --rank to "
            "compare meshes"
        )
    given = {
        "--json": args.json is not None,
        "--device": args.device is not None,
        "--format markdown": args.format == "markdown",
    }
    for option, used in given.items():
        if used:
            raise UsageError(f"{option} is for the plan of one rank; give --rank with it")
    (mesh,) = meshes
    if args.ranks == "all":
        return list(range(mesh.ranks))
    parts = [part.strip() for part in args.ranks.split(",")]
    # No rank has more than nine digits, and `int` refuses very long ones with words of its own.
    if not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise UsageError(
            f"--ranks {args.ranks!r} is not understood; give ranks such as 0,8,16, or all"
        )
    return sorted({rank_in(mesh, int(part)) for part in parts})


def _plans(args: argparse.Namespace, wanted: list[tuple[Mesh, int]]) -> list[Plan]:
    """A plan for each mesh and rank, from the functions in the file.

    Raises:
        UsageError: the file lacks one, or one of them raised.
    """
    with progress() as say:
        say("loading torch")
        load_torch()

        from dispatchcount.cli.foreign import foreign
        from dispatchcount.cli.targets import imported
        from dispatchcount.distributed.planning import plan

        say(f"importing {args.file}")
        module = imported(args.file)
        with foreign(f"{args.file} raised:"):
            given: dict[str, Any] = {
                name: getattr(module, name, None) for name in (*NEEDED, *OPTIONAL)
            }
        lacking = [name for name in NEEDED if given[name] is None]
        if lacking:
            raise UsageError(
                f"{args.file} has no {' and no '.join(lacking)}; a plan needs functions build() "
                "and step(model), and takes parallelize(model, mesh), optimizer(parameters), "
                "load and samples(mesh)"
            )
        plans = []
        for mesh, rank in wanted:
            say(f"planning rank {rank:,} of {mesh}")
            # What the functions print goes to standard error; a plan's own errors pass.
            with foreign(f"{args.file} raised:"), usage():
                plans.append(
                    plan(
                        given["build"],
                        given["parallelize"],
                        given["step"],
                        mesh,
                        rank,
                        optimizer=given["optimizer"],
                        load=given["load"],
                        samples=_samples(given["samples"], mesh),
                        convention=args.convention or "fvcore",
                    )
                )
    return plans


def _samples(given: Any, mesh: Mesh) -> Any:
    """What FILE says of the samples in a step, a number or a function of the mesh."""
    return given(mesh.as_dict()) if callable(given) else given


def _device(args: argparse.Namespace) -> Device | None:
    if args.device is None:
        return None
    from dispatchcount.hardware.find import device

    return device(args.device)


def _interconnect(text: str | None) -> float | dict[str, float] | None:
    """A rate, or rates by dimension.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.partition("=") for part in text.split(",")]
        return {name.strip(): float(rate) for name, _, rate in pairs}
    except ValueError:
        raise UsageError(
            f"--interconnect {text!r} is not understood; give bytes a second such as 900e9, or by "
            "dimension dp=100e9,tp=900e9"
        ) from None


def _waiting(args: argparse.Namespace, mesh: Mesh) -> str:
    """How long stages wait on this mesh, as a line; ``""`` if that was not asked for.

    Raises:
        UsageError: the mesh has no pipeline, or the number of micro-batches is missing.
    """
    if args.schedule is None:
        return ""
    from dispatchcount.distributed.pipeline import bubble

    stages = mesh.as_dict().get("pp")
    if stages is None:
        raise UsageError(f"the mesh {mesh} has no dimension pp, so --schedule has no stages")
    if args.microbatches is None:
        raise UsageError("--schedule needs the number of micro-batches: --microbatches 32")
    return f"{mesh}: {bubble(args.schedule, stages, args.microbatches, args.virtual)}"
