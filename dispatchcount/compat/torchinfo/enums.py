"""The names of ``torchinfo.enums``: what the options of `summary` may be."""

from __future__ import annotations

from enum import Enum, IntEnum


class Mode(str, Enum):
    """The mode that the model runs in."""

    TRAIN = "train"
    EVAL = "eval"
    SAME = "same"


class RowSettings(str, Enum):
    """What rows show."""

    DEPTH = "depth"
    VAR_NAMES = "var_names"
    ASCII_ONLY = "ascii_only"
    HIDE_RECURSIVE_LAYERS = "hide_recursive_layers"


class ColumnSettings(str, Enum):
    """The columns that there are."""

    KERNEL_SIZE = "kernel_size"
    GROUPS = "groups"
    INPUT_SIZE = "input_size"
    OUTPUT_SIZE = "output_size"
    NUM_PARAMS = "num_params"
    PARAMS_PERCENT = "params_percent"
    MULT_ADDS = "mult_adds"
    TRAINABLE = "trainable"


class Units(str, Enum):
    """The units of numbers below the table."""

    AUTO = "auto"
    KILOBYTES = "k"
    MEGABYTES = "M"
    GIGABYTES = "G"
    TERABYTES = "T"
    NONE = ""


class Verbosity(IntEnum):
    """How much is printed."""

    QUIET = 0
    DEFAULT = 1
    VERBOSE = 2
