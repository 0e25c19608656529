"""Errors whose message can be shown to a person: what was expected, what came, what to do next."""


class GclipError(ValueError):
    """A request that cannot be fulfilled; ``str(error)`` can be shown to a person."""


class ImageError(GclipError):
    """The image cannot be used: not an image, damaged, or too large."""


class VocabularyError(GclipError):
    """The words cannot be used: none, too many, or a phrase too long for the text tower."""


class BackboneError(GclipError):
    """The backbone cannot be used: unknown, not loadable, or with a tower that is not supported."""


class MethodError(GclipError):
    """The method, a setting, or a block, head or channel cannot be used with this backbone."""
