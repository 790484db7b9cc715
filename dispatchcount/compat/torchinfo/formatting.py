"""The names of ``torchinfo.formatting``: how a summary's table is laid out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dispatchcount.compat.torchinfo.enums import ColumnSettings, RowSettings, Units, Verbosity
from dispatchcount.compat.torchinfo.layer_info import LayerInfo, parameter_columns

HEADER_TITLES = {
    ColumnSettings.KERNEL_SIZE: "Kernel Shape",
    ColumnSettings.GROUPS: "Groups",
    ColumnSettings.INPUT_SIZE: "Input Shape",
    ColumnSettings.OUTPUT_SIZE: "Output Shape",
    ColumnSettings.NUM_PARAMS: "Param #",
    ColumnSettings.PARAMS_PERCENT: "Param %",
    ColumnSettings.MULT_ADDS: "Mult-Adds",
    ColumnSettings.TRAINABLE: "Trainable",
}
"""The columns' titles."""

_INDENT = 5
_NAME_WIDTH = 40


class FormattingOptions:
    """The layout of a summary. Its attributes may be changed before the summary is printed.

    Attributes:
        max_depth: the greatest depth that is shown.
        verbose: with 2, parameters have rows.
        col_names: the columns.
        col_width: their width.
        row_settings: what rows show.
        params_count_units: the unit of numbers of parameters below the table.
        params_size_units: the unit of bytes below the table.
        macs_units: the unit of mult-adds below the table.
        layer_name_width: the width of the first column.
    """

    def __init__(
        self,
        max_depth: int,
        verbose: int,
        col_names: Sequence[ColumnSettings],
        col_width: int,
        row_settings: Collection[RowSettings],
    ) -> None:
        self.max_depth = max_depth
        self.verbose = verbose
        self.col_names = tuple(col_names)
        self.col_width = col_width
        self.row_settings = set(row_settings)
        self.params_count_units = Units.NONE
        self.params_size_units = Units.AUTO
        self.macs_units = Units.AUTO
        self.layer_name_width = _NAME_WIDTH

    @property
    def show_var_name(self) -> bool:
        """True to show the names of attributes."""
        return RowSettings.VAR_NAMES in self.row_settings

    @property
    def show_depth(self) -> bool:
        """True to show depth and number of each row."""
        return RowSettings.DEPTH in self.row_settings

    def set_layer_name_width(self, summary_list: Sequence[LayerInfo]) -> None:
        """Make the first column wide enough for all rows, in steps of five."""
        widths = [
            row.depth * _INDENT + 1 + len(row.get_layer_name(self.show_var_name, self.show_depth))
            for row in summary_list
        ]
        widest = max(widths, default=0)
        if widest >= self.layer_name_width:
            self.layer_name_width = math.ceil(widest / _INDENT) * _INDENT

    def get_total_width(self) -> int:
        """The width of the table."""
        return len(self.col_names) * self.col_width + self.layer_name_width

    def header_row(self) -> str:
        """The titles."""
        names = " (var_name)" if self.show_var_name else ""
        depths = ":depth-idx" if self.show_depth else ""
        return self.format_row(f"Layer (type{names}{depths})", HEADER_TITLES)

    def format_row(self, layer_name: str, row_values: Mapping[ColumnSettings, str]) -> str:
        """One line of the table, with its line break."""
        cells = (f"{row_values.get(column, ''):<{self.col_width}} " for column in self.col_names)
        return f"{layer_name:<{self.layer_name_width}} {''.join(cells)}".rstrip() + "\n"

    def layers_to_str(self, summary_list: Sequence[LayerInfo], total_params: int) -> str:
        """The lines of all rows that are shown."""
        params = parameter_columns(summary_list, self.max_depth)
        hidden = RowSettings.HIDE_RECURSIVE_LAYERS in self.row_settings
        lines = []
        for row in summary_list:
            if row.depth > self.max_depth or (hidden and row.is_recursive):
                continue
            title = row.get_layer_name(self.show_var_name, self.show_depth)
            values = self._values(row, params[id(row)], total_params)
            lines.append(self.format_row(self._start(row.depth) + title, values))
            if self.verbose == Verbosity.VERBOSE:
                start = self._start(row.depth + 1)
                inner = row.inner_layers
                lines += [self.format_row(start + name, inner[name]) for name in inner]
        return "".join(lines)

    def _values(self, row: LayerInfo, params: str, total_params: int) -> dict[ColumnSettings, str]:
        is_last = row.depth == self.max_depth or row.is_leaf_layer
        macs = row.macs if is_last else row.own_macs
        return {
            ColumnSettings.KERNEL_SIZE: _text(row.kernel_size),
            ColumnSettings.GROUPS: _text(row.groups),
            ColumnSettings.INPUT_SIZE: _text(row.input_size),
            ColumnSettings.OUTPUT_SIZE: _text(row.output_size),
            ColumnSettings.NUM_PARAMS: params,
            ColumnSettings.PARAMS_PERCENT: _percent(params, total_params),
            ColumnSettings.MULT_ADDS: f"{macs:,}" if macs else "--",
            ColumnSettings.TRAINABLE: row.trainable,
        }

    def _start(self, depth: int) -> str:
        """The lines of the tree before a row's title."""
        ascii_only = RowSettings.ASCII_ONLY in self.row_settings
        if depth == 0:
            return ""
        if depth == 1:
            return "+ " if ascii_only else "├─"
        return ("|    " if ascii_only else "│    ") * (depth - 1) + ("+ " if ascii_only else "└─")


def _text(value: Any) -> str:
    return str(value) if value else "--"


def _percent(params: str, total_params: int) -> str:
    """A text of the parameter column as a share of all parameters."""
    if params in ("--", "(recursive)"):
        return params if params != "--" else f"{'':5}--"
    return f"{int(params.strip('()').replace(',', '')) / total_params:>7.2%}"
