"""Random numbers: no arithmetic by definition, for what a generator does is not the model's; the result is written.

The distributions that reject or invert (gamma, binomial, Poisson, multinomial) are no different.
"""

from __future__ import annotations

from typing import Any

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import words
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import nbytes
from dispatchcount.rules.core.sizes import first

_DRAWS = words("""
    rand randn randint rand_like randn_like randint_like randperm uniform exponential geometric cauchy log_normal random
    normal_functional _philox_normal _philox_uniform _philox_key_split _philox_key_fold_in _cudnn_init_dropout_state
    _fill_mem_eff_dropout_mask_
""")

_DRAWS_FROM = words("""
    bernoulli binomial poisson multinomial _standard_gamma _sample_dirichlet
""")


@RULES.move(*(f"aten::{name}" for name in _DRAWS), "rngprims::philox_rand")
def draw(*args: Any, out: Any = (), **_: Any) -> Cost:
    """Writes the result; the tensor that is overwritten or imitated is not read."""
    return Cost(bytes_read=0, bytes_written=nbytes(out) or nbytes(args[:1]))


@RULES.move(*(f"aten::{name}" for name in _DRAWS_FROM))
def draw_from(*_: Any, **__: Any) -> Cost:
    """Reads the parameters, writes the result."""
    return Cost()


@RULES.move("aten::bernoulli_")
def bernoulli_(self: Any, p: Any = None, *_: Any, **__: Any) -> Cost:
    """Overwrites; a tensor of probabilities is read."""
    return Cost(bytes_read=nbytes((p,)), bytes_written=nbytes((self,)))


@RULES.rule("aten::normal")
def normal(*args: Any, out: Any = (), **_: Any) -> Cost:
    """Overwrites, or with tensors for the mean or deviation scales and shifts: two operations per element."""
    shaped = [a for a in args[:2] if nbytes((a,))]
    if not shaped or len(args) > 2:
        return Cost(bytes_read=0, bytes_written=nbytes(out))
    return Cost(arithmetic=2 * first(out))


@RULES.move("aten::normal_")
def normal_(self: Any, *_: Any, **__: Any) -> Cost:
    """Overwrites."""
    return Cost(bytes_read=0, bytes_written=nbytes((self,)))
