"""How users add rules: `register` for every profile, or a mapping for one block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from dispatchcount.rules.core.names import target_name
from dispatchcount.rules.core.registry import (
    RULES,
    USER,
    OpKind,
    Registry,
    RegistryEntry,
    Rule,
    takes_out,
)

F = TypeVar("F", bound=Callable[..., Any])


def register(*targets: Any, replace: bool = False) -> Callable[[F], F]:
    """Decorator: the function below is the rule of `targets`, from now on and for every profile.

    The rule is called with the operator's own arguments, each tensor replaced by a `Shape` (a tuple
    of sizes with a `dtype`). Numbers and strings are as they are; dtypes and devices are None.
    torch leaves out arguments that have their default, so give the rule the operator's defaults.
    If it has a keyword `out`, it gets the shapes of the result there. It returns a `Cost`, or an
    int of MACs.

    Example:
        >>> @dc.register(torch.ops.mylib.attn)
        ... def attn(q, k, v, *, out):
        ...     b, h, s, d = q
        ...     return 2 * b * h * s * k[2] * d

    Args:
        targets: packets (``torch.ops.mylib.attn``), overloads, higher-order operators, triton
            kernels, or names such as ``"mylib::attn"``, ``"mylib::attn.out"``,
            ``"higher_order::cond"`` and ``"triton::my_kernel"``. Torch must have an operator when
            its rule is registered, so import the library that defines it first. A triton kernel may
            be defined later.
        replace: True if a rule that is there already may be replaced.

    Raises:
        ValueError: a target has a rule and `replace` is false, or torch does not know the name.
        TypeError: a target is not an operator, or no target was given.
    """
    if not targets:
        raise TypeError(
            "register() needs the operator that the rule is for: @dc.register(torch.ops.mylib.attn)"
        )
    names = [target_name(target) for target in targets]

    def enter(rule: F) -> F:
        _enter(RULES, names, rule, replace)
        return rule

    return enter


def local_rules(rules: Mapping[Any, Rule] | None) -> Registry:
    """The registry of one block: it has `rules`, and for all else asks the global one.

    Args:
        rules: a rule for each target; `register` says what a target may be.

    Raises:
        TypeError: a target is not an operator, or a rule is not a function.
        ValueError: torch does not know a target's name, or two targets are the same operator.
    """
    if not rules:
        return RULES
    registry = Registry(parent=RULES)
    own: dict[str, Any] = {}
    for target, rule in rules.items():
        name = target_name(target)
        if name in own:
            raise ValueError(
                f"rules has {own[name]!r} and {target!r}, which are both {name}; give it one rule"
            )
        own[name] = target
        _enter(registry, [name], rule, replace=False)
    return registry


def _enter(registry: Registry, names: list[str], rule: Any, replace: bool) -> None:
    if not callable(rule):
        raise TypeError(
            f"the rule of {', '.join(names)} is {rule!r}; it must be a function of shapes"
        )
    entry = RegistryEntry(OpKind.RULE, rule, family=USER, takes_out=takes_out(rule))
    # Check every name before the first is entered, so that an error leaves the registry as it was.
    for name in names if not replace else ():
        registry.check_free(name)
    for name in names:
        registry.add(name, entry, replace=replace)
