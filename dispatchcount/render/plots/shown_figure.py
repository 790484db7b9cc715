"""The figure of every plot. Importing this file needs matplotlib."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that a notebook shows as a picture.

    A notebook learns how to show matplotlib's figures when `matplotlib.pyplot` is first imported
    in it, which a plot of ours does not do. So the figure itself says how.
    """

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
