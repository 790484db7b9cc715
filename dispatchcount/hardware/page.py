"""A roofline as the page of a report gets it: plain data, with times in nanoseconds."""

from __future__ import annotations

from typing import Any

from dispatchcount.hardware.roofline import MEMORY, Roofline


def roof_data(roof: Roofline) -> dict[str, Any]:
    """What the page shows: the roofs of the dtypes that ran products, and every operator.

    Without the device's bandwidth there is no slope, and so no roof to draw.
    """
    device = roof.device
    return {
        "device": str(device),
        "least": roof.least_seconds * 1e9,
        "memory": roof.share(MEMORY),
        "roofs": [
            {"name": name, "peak": peak, "bandwidth": device.bandwidth}
            for name, peak in roof.peaks.items()
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
