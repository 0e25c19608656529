"""What can go wrong, in words for the person who asked.

Every message says what was wanted, what came and what to do next; it holds no stack trace.
Only the page turns a :class:`GclipError` into something on a screen.
"""


class GclipError(ValueError):
    """A request that cannot be met as it stands; ``str(error)`` can be shown to a person."""


class ImageError(GclipError):
    """The image cannot be used: not an image, damaged, or too large."""


class VocabularyError(GclipError):
    """The words cannot be used: none, too many, or a phrase too long for the text tower."""


class BackboneError(GclipError):
    """The backbone cannot be used: unknown, not loadable, or a tower we cannot tap."""


class MethodError(GclipError):
    """The method's settings contradict each other or the backbone (for example a block number)."""


class EvaluationError(GclipError):
    """A data set or a result cannot be used: a missing folder, unknown ids, other settings."""
