"""The names of ``torchinfo.model_statistics``: what `summary` returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatchcount.compat.torchinfo.enums import Units
from dispatchcount.compat.torchinfo.formatting import FormattingOptions
from dispatchcount.compat.torchinfo.layer_info import LayerInfo

_SIZES = {
    Units.TERABYTES: 1e12,
    Units.GIGABYTES: 1e9,
    Units.MEGABYTES: 1e6,
    Units.KILOBYTES: 1e3,
    Units.NONE: 1,
}


class ModelStatistics:
    """The rows and totals of a summary; `str()` is its table.

    Attributes:
        summary_list: the rows, in the order of the calls.
        input_size: the sizes of the inputs, nested as the inputs are.
        formatting: the layout of the table.
        total_input: bytes of the inputs.
        total_mult_adds: multiply-accumulates of the whole pass.
        total_params: elements of the parameters, a tied tensor once.
        trainable_params: those that require a gradient.
        total_param_bytes: bytes of the parameters.
        total_output_bytes: bytes of the outputs of layers with parameters, twice, for a backward
            pass holds a gradient of each.
        not_counted: a sentence that names operators without a count, or ``""``.
    """

    def __init__(
        self,
        summary_list: Sequence[LayerInfo],
        input_size: Any,
        total_input_size: int,
        formatting: FormattingOptions,
        total_mult_adds: int = 0,
        not_counted: str = "",
    ) -> None:
        root = summary_list[0]
        self.summary_list = list(summary_list)
        self.input_size = input_size
        self.formatting = formatting
        self.total_input = total_input_size
        self.total_mult_adds = total_mult_adds
        self.total_params = root.num_params
        self.trainable_params = root.trainable_params
        self.total_param_bytes = root.param_bytes
        self.total_output_bytes = 2 * sum(
            row.output_bytes for row in summary_list if row.is_leaf_layer and row.num_params
        )
        self.not_counted = not_counted
        formatting.set_layer_name_width(self.summary_list)

    def __repr__(self) -> str:
        layout = self.formatting
        rule = "=" * layout.get_total_width()
        counts, sizes = layout.params_count_units, layout.params_size_units
        frozen = self.total_params - self.trainable_params
        lines = [
            rule,
            layout.header_row() + rule,
            layout.layers_to_str(self.summary_list, self.total_params) + rule,
            f"Total params{self.format_output_num(self.total_params, counts, False)}",
            f"Trainable params{self.format_output_num(self.trainable_params, counts, False)}",
            f"Non-trainable params{self.format_output_num(frozen, counts, False)}",
        ]
        if self.input_size:
            macs = self.format_output_num(self.total_mult_adds, layout.macs_units, False)
            parts = {
                "Input size": self.total_input,
                "Forward/backward pass size": self.total_output_bytes,
                "Params size": self.total_param_bytes,
            }
            parts["Estimated Total Size"] = sum(parts.values())
            lines += [f"Total mult-adds{macs}", rule]
            lines += [
                f"{label}{self.format_output_num(n, sizes, True)}" for label, n in parts.items()
            ]
        lines += [rule, self.not_counted] if self.not_counted else [rule]
        return "\n".join(lines)

    @staticmethod
    def float_to_megabytes(num: int) -> float:
        """Megabytes of so many float32 numbers."""
        return num * 4 / 1e6

    @staticmethod
    def to_megabytes(num: int) -> float:
        """Megabytes of so many bytes."""
        return num / 1e6

    @staticmethod
    def to_readable(num: float, units: Units = Units.AUTO) -> tuple[Units, float]:
        """A unit that fits a number, and the number in that unit."""
        if units is Units.AUTO:
            units = next((unit for unit, size in _SIZES.items() if num >= size), Units.NONE)
        return units, num if units is Units.NONE else num / _SIZES[units]

    @staticmethod
    def format_output_num(num: float, units: Units, is_bytes: bool) -> str:
        """The end of a line below the table: ``" (M): 11.69"``, ``" (MB): 46.76"``, ``": 15"``."""
        unit, value = ModelStatistics.to_readable(num, units)
        shown = "" if unit is Units.NONE else f" ({unit.value}{'B' if is_bytes else ''})"
        whole = float(value).is_integer()
        return f"{shown}: {int(value):,}" if whole else f"{shown}: {value:,.2f}"
