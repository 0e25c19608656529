"""One line a request, as `key=value` pairs: view, backbone, milliseconds, what was cached.

    2026-11-24T20:31:07 INFO answered view=side backbone=built-in ms=24 trunk=kept patches=18x18

Never words, pictures, links, addresses or paths of a visitor.
"""

import logging

FORMAT = "%(asctime)s %(levelname)s %(message)s"
OURS = ("demo", "gclip_core")

logger = logging.getLogger(__name__)


def begin(quiet: bool = False) -> None:
    """Write this project's lines to standard error, or warnings only."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S"))
    for name in OURS:
        ours = logging.getLogger(name)
        ours.handlers[:] = [handler]
        ours.setLevel(logging.WARNING if quiet else logging.INFO)
        ours.propagate = False


def event(what: str, **facts: object) -> None:
    """Log that something happened, with its facts in the order given.

    Spaces and line breaks in a value become underscores: no value can forge a pair or a line.
    """
    pairs = [f"{key}={'_'.join(str(value).split()) or '-'}" for key, value in facts.items()]
    logger.info("%s", " ".join([what, *pairs]))
