"""Traffic between ranks."""

from __future__ import annotations

from dispatchcount.rules.core.cost import Cost
from tests.rules.util import S, ask


def test_collectives_count_bytes_and_reductions() -> None:
    x = S(8)
    assert ask("_c10d_functional::all_reduce", x, "sum", "0", out=x) == Cost(arithmetic=8)
    assert ask("_c10d_functional::all_gather_into_tensor", x, 2, "0", out=S(16)) == Cost()
    gather = ask("c10d::_allgather_base_", S(16), x, None, out=(S(16), None))
    assert (gather.bytes_read, gather.bytes_written, gather.arithmetic) == (32, 64, 0)
    scatter = ask("c10d::_reduce_scatter_base_", S(4), x, None, None, out=(S(4), None))
    assert (scatter.bytes_read, scatter.bytes_written, scatter.arithmetic) == (32, 16, 8)
    assert ask("c10d::barrier", S(1), None, ()) == Cost()
