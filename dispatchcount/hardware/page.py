"""A roofline as the page of a report gets it: plain data, with times in nanoseconds."""

from __future__ import annotations

from typing import Any

from dispatchcount.hardware.roofline import MEMORY, Roofline


def roof_data(roof: Roofline) -> dict[str, Any]:
    """What the page shows: the roofs of the dtypes that ran products, and every operator.

    Without the device's bandwidth there is no slope, and so no roof to draw.
    """
    device = roof.device
    dtypes = dict.fromkeys(work.dtype for work in roof.work if work.macs)
    peaks = {dtype: peak for dtype in dtypes if (peak := device.peak_of(dtype)) is not None}
    return {
        "device": str(device),
        "least": roof.least_seconds * 1e9,
        "memory": roof.share(MEMORY),
        "roofs": [
            {"name": dtype, "peak": peak, "bandwidth": device.bandwidth}
            for dtype, peak in peaks.items()
            if device.bandwidth is not None
        ],
        "operators": [
            {
                "name": row.name,
                "flops": row.flops,
                "bytes": row.nbytes,
                "least": row.least_seconds * 1e9,
                "time": row.seconds * 1e9,
                "bound": row.bound,
            }
            for row in roof.by_operator().values()
        ],
        "notes": list(roof.notes),
    }
