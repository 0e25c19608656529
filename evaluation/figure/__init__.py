"""One figure of a result: ``python -m evaluation.figure photo.jpg --words … --out figure.pdf``.

Side by side: the photo, the masks before and after, the attention of the fused blocks, the last
block's matrix, and the channels' norms before and after CS. Its small form, the share picture, has
the photo and the mask alone. Usage::

    values = values_of(segmenter, "photo.jpg", "dog, grass")  # plain values
    saved(draw(values), "pdf")                                # a file
"""

from evaluation.figure.drawing import draw, saved
from evaluation.figure.values import Values, values_between, values_of

__all__ = ["Values", "draw", "saved", "values_between", "values_of"]
