"""What a visitor is told of an error."""

import logging
import traceback
from errno import ENOSPC
from pathlib import Path

import torch
from starlette.responses import JSONResponse, RedirectResponse, Response

from gclip_core import GclipError

GONE = "This photo is no longer on the server. Upload it again."

logger = logging.getLogger(__name__)


class GoneError(GclipError):
    """The server does not have a photo, or not any more."""

    def __init__(self) -> None:
        super().__init__(GONE)


class RefusedError(Exception):
    """A status and a sentence, or with 303 where to go instead. No HTTPException, which a route
    would turn into another form."""


def refusal(error: Exception) -> Response:
    """An error as a sentence, in the form that Gradio's clients show, too."""
    if isinstance(error, RefusedError):
        status, text = error.args
    elif isinstance(error, TimeoutError):
        status, text = 408, "This took too long to arrive. Try again."
    else:
        status, text = 422 if isinstance(error, GclipError) else 500, sentence(error)
    if status == 303:
        return RedirectResponse(text, status)
    return JSONResponse({"error": text, "detail": text}, status)


def sentence(error: Exception) -> str:
    """What is wrong, and what to do; the log says where, unless it is the visitor's own error."""
    if isinstance(error, GclipError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]  # its text may quote a visitor
    logger.error("%s in %s, %s", type(error).__name__, Path(place.filename).name, place.lineno)
    is_large = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if is_large or "DefaultCPUAllocator" in str(error):  # PyTorch's is a plain RuntimeError
        return "Not enough memory for this request. Try a smaller photo, or try again later."
    if isinstance(error, OSError):
        why = "disk is full" if error.errno == ENOSPC else "server could not read or write a file"
        return f"The {why}. Try again later."
    return "The request failed. Check its values, or try again later."
