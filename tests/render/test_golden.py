"""Whole renderings, as they are printed."""

import pytest

from dispatchcount.render.console.samples import samples_table
from tests.report.make import cnn, huge, routed, stack, training, troubled

pytestmark = pytest.mark.torch_alone

VIEWS = {
    "cnn_overview": lambda: cnn(),
    "cnn_table": lambda: cnn().table(),
    "stack_overview": lambda: stack(3),
    "cnn_exact": lambda: cnn().table(exact=True),
    "cnn_tree": lambda: cnn().tree(),
    "cnn_arch": lambda: cnn().arch(),
    "cnn_operators": lambda: cnn().operators(),
    "cnn_markdown": lambda: cnn().to_markdown(),
    "cnn_csv": lambda: cnn().to_csv(),
    "training_table": lambda: training().table(),
    "training_every_column": lambda: training().table(columns=("path", "self_flops", "self_share", "time_ns", "flops_per_s", "intensity", "shapes")),
    "training_operators": lambda: training().operators(top=3),
    "routed_table": lambda: routed().table(),
    "routed_histogram": lambda: routed().histogram(bins=4),
    "routed_samples": lambda: samples_table(routed(), top=2),
    "troubled_table": lambda: troubled().table(),
    "troubled_tree": lambda: troubled().tree(),
    "troubled_arch": lambda: troubled().arch(),
    "troubled_operators": lambda: troubled().operators(),
    "troubled_markdown": lambda: troubled().to_markdown(),
    "huge_table": lambda: huge().table(),
    "stack_table": lambda: stack(3).table(sort="flops"),
    "stack_tree": lambda: stack(2).tree(min_share=0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_view(name, golden):
    golden(name, str(VIEWS[name]()).rstrip("\n"))
