"""Random numbers: no arithmetic by definition, because a generator's work is not the model's.

The distributions that reject or invert (gamma, binomial, Poisson, multinomial) are no different.
The result is written.
"""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from dispatchcount.rules.core.names import aten
from dispatchcount.rules.core.registry import RULES
from dispatchcount.rules.core.shape import Operand, nbytes
from dispatchcount.rules.core.sizes import first

_DRAWS = aten("""
    rand randn randint rand_like randn_like randint_like randperm uniform exponential geometric
    cauchy log_normal random normal_functional _philox_normal _philox_uniform _philox_key_split
    _philox_key_fold_in _cudnn_init_dropout_state _fill_mem_eff_dropout_mask_
""")

_DRAWS_FROM = aten("""
    bernoulli binomial poisson multinomial _standard_gamma _sample_dirichlet
""")


@RULES.move(*_DRAWS, "rngprims::philox_rand")
def draw(*args: Operand, out: Operand = (), **_: Operand) -> Cost:
    """Writes the result; a tensor that is overwritten or imitated is not read."""
    return Cost(bytes_read=0, bytes_written=nbytes(out) or nbytes(args[:1]))


@RULES.move(*_DRAWS_FROM)
def draw_from(*_: Operand, **__: Operand) -> Cost:
    """Reads the parameters, and writes the result."""
    return Cost()


@RULES.move("aten::bernoulli_")
def bernoulli_(self: Operand, p: Operand = None, *_: Operand, **__: Operand) -> Cost:
    """Overwrites its tensor; a tensor of probabilities is read."""
    return Cost(bytes_read=nbytes((p,)), bytes_written=nbytes((self,)))


@RULES.rule("aten::normal")
def normal(*args: Operand, out: Operand = (), **_: Operand) -> Cost:
    """Overwrites its tensor, or scales and shifts random numbers.

    It does the latter if mean or deviation is a tensor, and takes two operations per element.
    """
    shaped = [a for a in args[:2] if nbytes((a,))]
    if not shaped or len(args) > 2:
        return Cost(bytes_read=0, bytes_written=nbytes(out))
    return Cost(arithmetic=2 * first(out))


@RULES.move("aten::normal_")
def normal_(self: Operand, *_: Operand, **__: Operand) -> Cost:
    """Overwrites its tensor."""
    return Cost(bytes_read=0, bytes_written=nbytes((self,)))
