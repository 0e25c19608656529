"""Paths of the files that ship with the project, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def path(*parts: str) -> Path:
    """Path of a shipped file or folder, for example ``path("built-in", "model.safetensors")``.

    In a wheel, ``assets/`` is in the package as ``_assets``; in a checkout, it is next to the
    package. Raises FileNotFoundError.
    """
    for root in (_PACKAGE / "_assets", _PACKAGE.parent / "assets"):
        file = root.joinpath(*parts)
        if file.exists():
            return file
    raise FileNotFoundError(
        f"{'/'.join(parts)} was not found among the shipped assets; reinstall or check out again."
    )
