"""Evaluation on the field's benchmarks and on photos with masks: data sets, mIoU, tables.

``__main__`` has the commands of ``python -m evaluation``.
Read ``datasets`` first, because everything is measured on a labelled set; then ``metric``; then
``benchmark``, which counts pixels image by image.
"""

from gclip_core.errors import GclipError


class EvaluationError(GclipError):
    """A data set or a result cannot be used: a missing folder, unknown ids, other settings."""
