"""`profile`: the with-block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import get_ident
from types import TracebackType
from typing import Any, TypeVar

from torch import nn
from torch.optim import Optimizer

from dispatchcount.capture.held import check_module, is_module
from dispatchcount.capture.kernel import kernel as kernel
from dispatchcount.capture.torch_functions import Watcher
from dispatchcount.capture.torch_private import set_torch_function_state, torch_function_state
from dispatchcount.errors import UncountedError, expect, expect_function, kind_of
from dispatchcount.render.numbers import plural
from dispatchcount.report.conventions import find_convention
from dispatchcount.report.rows import UNSEEN
from dispatchcount.report_api import Report
from dispatchcount.rules import library as library
from dispatchcount.rules.core.register import local_rules
from dispatchcount.rules.core.registry import Rule
from dispatchcount.session import Options, Roots, Session

T = TypeVar("T")


class _Exit:
    """`Profile.__exit__`: a ``with`` gets the standard library's own `ExitStack.__exit__`.

    A Ctrl-C may arrive at any line, also at the first one of an `__exit__`. One written here would
    then be left before it has undone anything.
    """

    def __get__(self, profile: Profile | None, owner: type[Profile]) -> Callable[..., bool | None]:
        if profile is None:
            return Profile._leave
        return profile._leave if profile._depth else profile._undo.__exit__


class Profile:
    """A block being profiled, and its report. Made by `profile`."""

    def __init__(self, roots: Roots, options: Options) -> None:
        self._roots = roots
        self._options = options
        self._session: Session | None = None
        self._undo = ExitStack()
        self._depth = 0

    def __enter__(self) -> Profile:
        if self._depth:
            if self._session is None or self._session.thread != get_ident():
                raise RuntimeError(
                    "this profile is open in another thread; make one profile() for each thread"
                )
            self._depth += 1
            return self
        try:
            session = Session(self._roots, self._options)
            state = torch_function_state()
            self._undo.callback(self._close, state)
            self._undo.callback(self._close, state)
            self._undo.push(self._end)
            self._undo.push(session.finish)
            session.open(self._undo)
            self._session, self._depth = session, 1
            return self
        except BaseException:  # a Ctrl-C too: nothing may be left half open
            self._depth = 0
            self._undo.pop_all().close()
            raise

    __exit__ = _Exit()

    def __repr__(self) -> str:
        roots = ", ".join(dict.fromkeys(type(model).__name__ for _, model in self._roots))
        if self._session is None:
            state = "nothing has run yet"
        elif self._depth:
            state = "running; .report has what ran so far"
        else:
            state = "done; .report has the figures"
        return f"<Profile of {roots or 'a block'}: {state}>"

    def _leave(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Leave the block once; it ends when it was left as often as it was entered."""
        if self._depth > 1:
            self._depth -= 1
            return None
        return self._undo.__exit__(kind, error, trace)

    def _end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._options.strict and self._depth and error is None:
            _raise_uncounted(self.report)

    def _close(self, torch_functions: Any) -> None:
        """Note that the block is closed, and put torch functions back as they were.

        They are off while modules are looked at, and a Ctrl-C then would leave them off.
        """
        self._depth = 0
        set_torch_function_state(torch_functions)

    @property
    def report(self) -> Report:
        """What the block did; inside the block what it did so far.

        Raises:
            RuntimeError: the block was not entered yet.
        """
        if self._session is None:
            raise RuntimeError(
                "nothing was profiled yet; "
                "run the model inside `with dispatchcount.profile(model) as prof:`"
            )
        return self._session.report()

    @contextmanager
    def sample(self, label: str) -> Iterator[None]:
        """One input of many: what runs inside is in the report as a whole and as sample `label`.

        Raises:
            RuntimeError: the profile is not open, or a sample is.
        """
        if self._session is None or not self._depth:
            raise RuntimeError("sample() works inside the profile's with-block")
        with self._session.sampler.sample(str(label)):
            yield

    def samples(
        self, inputs: Iterable[T], label: Callable[[int, T], str] | None = None
    ) -> Iterator[T]:
        """Iterate over `inputs`, each a sample of its own, which ends when the next is asked for.

        ``next(samples)`` in a forward pre-hook makes a sample of each call of a module, such as
        each step of a generation.

        Args:
            inputs: a DataLoader, a list, anything that iterates.
            label: names a sample from its index and the input; by default the index.

        Raises:
            TypeError: nothing can be iterated over in `inputs`, or `label` cannot be called.
        """
        expect(inputs, Iterable, "inputs", "a DataLoader, a list, or whatever iterates")
        if label is not None:
            expect_function(label, "label", "a function of the index and the input")
        for index, item in enumerate(inputs):
            with self.sample(label(index, item) if label else str(index)):
                yield item


def profile(
    *models: nn.Module | Mapping[str, nn.Module],
    convention: str = "fvcore",
    strict: bool = False,
    rules: Mapping[Any, Rule] | None = None,
    memory: bool | Iterable[Optimizer] = False,
    time: bool = False,
    nonzero: bool = False,
    labels: Mapping[str, str] | None = None,
    functions: bool | Watcher = False,
    wrappers: bool = False,
) -> Profile:
    """Profile whatever runs inside a with-block.

        with dispatchcount.profile(model) as prof:
            model(x)
        print(prof.report)

    Args:
        models: the roots that modules are named from: a module, several, or modules by name,
            ``{"enc": a, "dec": b}``. Without any, the roots are found as they are called.
        convention: what a flop is; see `Report.with_convention`.
        strict: raise `UncountedError` when the block ends if an operator ran that has no rule, or
            whose rule failed.
        rules: rules for this block alone, by operator; see `register`.
        memory: also follow bytes: parameters, gradients, saved activations, the peak of live
            tensors. torch does not say which optimizers there are, so one that had state before
            the block counts from its first step in it; with ``memory=[optimizer]`` it counts from
            the start.
        time: also measure wall time by operator and module (accelerators are waited for when the
            block ends).
        nonzero: also count the parameters that are not zero and the MACs that multiply with them,
            for pruned and masked models. Weights are read once, when the block ends; those that are
            made in the forward, as under a mask, where they are used.
        labels: what to remember of the run (commit, model, input), for dashboards.
        functions: also note the Python-level torch function each operator ran under (this keeps
            fused encoder layers from being used, as any torch function mode does).
        wrappers: True to give torch's wrappers (`DistributedDataParallel`, `DataParallel`, FSDP,
            `checkpoint_wrapper`, `torch.compile`, `AveragedModel`) rows and names of their own, as
            `named_modules` does. Otherwise what a wrapper does is on the row of the module that it
            wraps, which has the name that it has without the wrapper.

    Raises:
        TypeError: a model is no module, or a rule's target no operator.
        ValueError: the convention is not known, or two models have one name.
    """
    expect(labels or {}, Mapping, "labels", "texts by name: labels={'commit': 'a1b2c3'}")
    expect(rules or {}, Mapping, "rules", "rules by operator: rules={torch.ops.mylib.attn: rule}")
    options = Options(
        convention=find_convention(convention).name,
        strict=strict,
        rules=local_rules(rules),
        memory=_optimizers(memory),
        time=time,
        nonzero=nonzero,
        functions=functions,
        labels=tuple((str(key), str(value)) for key, value in (labels or {}).items()),
        wrappers=wrappers,
    )
    return Profile(_roots(models), options)


def _optimizers(memory: Any) -> tuple[Optimizer, ...] | None:
    """The optimizers whose state is followed from the start; None if memory is not followed.

    Raises:
        TypeError: one of them is no optimizer.
    """
    if memory is None or isinstance(memory, bool):
        return () if memory else None
    give = "True, or a list of optimizers whose state counts from the start: memory=[optimizer]"
    expect(memory, Iterable, "memory", give)
    optimizers = tuple(memory)
    for optimizer in optimizers:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"memory has {kind_of(optimizer)}, not a torch.optim.Optimizer; give {give}"
            )
    return optimizers


def _roots(models: tuple[Any, ...]) -> Roots:
    roots: list[tuple[str | None, Any]] = []
    for model in models:
        # A module may be a mapping as well.
        several = not is_module(model) and isinstance(model, Mapping)
        roots += [(str(name), part) for name, part in model.items()] if several else [(None, model)]
    for name, model in roots:
        if name is not None and sum(name == other for other, _ in roots) > 1:
            raise ValueError(f"two models are named {name!r}; give each a name of its own")
        check_module(
            model,
            f"models[{name!r}]" if name is not None else "the model",
            "leave it out to find the modules as they are called: profile()",
        )
    return roots


def _raise_uncounted(report: Report) -> None:
    issues = [*report.unknown_ops.values(), *report.failed_ops.values()]
    if issues:
        listed = "; ".join(
            f"{issue.op} ({issue.status}, {plural(issue.calls, 'call')}, "
            f"in {_listed(issue.modules)})"
            for issue in issues
        )
        # A kernel that nothing saw has no name that a rule could be registered for.
        statuses = {issue.status for issue in issues}
        advice = ["Give rules with @dispatchcount.register."] if statuses - {UNSEEN} else []
        if UNSEEN in statuses:
            advice.append("Give the costs of unseen kernels with dispatchcount.kernel.")
        raise UncountedError(
            f"{plural(len(issues), 'operator')} {'is' if len(issues) == 1 else 'are'} not counted: "
            f"{listed}. {' '.join(advice)}"
        )


def _listed(modules: Iterable[str]) -> str:
    return ", ".join(module or "the root" for module in modules)
