"""The error of the evaluation; its message can be shown to a person."""

from gclip_core.errors import GclipError


class EvaluationError(GclipError):
    """A data set or a result cannot be used: a missing folder, unknown ids, other settings."""
