"""One figure of a result: ``python -m demo.paper photo.jpg --words … --out figure.pdf``.

Side by side: the photo, the masks before and after, the attention of the fused blocks, the last
block's matrix, and the channels' norms before and after CS. Its small form, the share picture, has
the photo and the mask alone. Usage::

    values = values_of(segmenter, "photo.jpg", "dog, grass")  # plain values
    saved(draw(values), "pdf")                                # a file
"""

from demo.paper.drawing import draw, saved
from demo.paper.values import Values, values_between, values_of

__all__ = ["Values", "draw", "saved", "values_between", "values_of"]
