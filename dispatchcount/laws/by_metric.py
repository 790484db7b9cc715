"""The formulas of a law and of its rows as properties, one for each metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dispatchcount.laws.polynomial import Polynomial


class ByMetric:
    """What has a formula for each metric. A subclass gives `polynomial`; each property asks it.

    A metric with a part that has no formula raises `LawError`, which names the part.
    """

    def polynomial(self, metric: str) -> Polynomial:
        """The formula of a metric.

        Raises:
            LawError: a part of it has none; the message names the part and says why.
            ValueError: there is no such metric.
        """
        raise NotImplementedError

    @property
    def flops(self) -> Polynomial:
        """Flops under the law's convention."""
        return self.polynomial("flops")

    @property
    def macs(self) -> Polynomial:
        """Multiply-accumulates of contractions."""
        return self.polynomial("macs")

    @property
    def masked_macs(self) -> Polynomial:
        """Those of the MACs that belong to attention scores which the calls say are masked."""
        return self.polynomial("masked_macs")

    @property
    def arithmetic(self) -> Polynomial:
        """Element-wise operations besides the MACs."""
        return self.polynomial("arithmetic")

    @property
    def transcendentals(self) -> Polynomial:
        """Element-wise exp, log, tanh, sqrt and the like."""
        return self.polynomial("transcendentals")

    @property
    def activations(self) -> Polynomial:
        """Elements handed on by convolutions, matrix products and the kernels built of them."""
        return self.polynomial("activations")

    @property
    def params(self) -> Polynomial:
        """Elements of the parameters; they do not depend on the sizes."""
        return self.polynomial("params")

    @property
    def bytes_read(self) -> Polynomial:
        """Bytes of operands of operators that touch memory."""
        return self.polynomial("bytes_read")

    @property
    def bytes_written(self) -> Polynomial:
        """Bytes of results of operators that touch memory."""
        return self.polynomial("bytes_written")

    @property
    def calls(self) -> Polynomial:
        """Calls of the module; of everything else than a module, calls of operators."""
        return self.polynomial("calls")
