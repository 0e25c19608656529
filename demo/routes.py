"""Which routes are open, and what a call of an endpoint may contain, before Gradio reads it.

It would answer wrong calls with errors of its own, or with a trace in the log.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from demo.errors import RefusedError
from demo.store import STORE

API = "/gradio_api"
OPEN = {
    "GET": rf"/|/(web|photos)/.*|/(health|login|config)|{API}/(info|app_id|startup-events)"
    rf"|{API}/heartbeat/.*|{API}/file=.*|{API}/queue/data|{API}/call/\w+/\w+",
    "POST": rf"/photos|/login|{API}/(queue/join|cancel|reset|upload|call/\w+)",
    "DELETE": r"/photos/\w+",
    "OPTIONS": r".*",  # browsers ask before they call from another page
}
"""The routes that the page and programs need; the others of Gradio stay closed."""
CALL = re.compile(rf"{API}/(?:call/(\w+)|queue/join)")
STREAM = re.compile(rf"{API}/(?:call/\w+/(\w+)|queue/data)")
"""Requests and answers, of a program or of a page."""


class Call(BaseModel):
    """The body of a program's request."""

    data: list[Any]


class Join(Call):
    """The body of a page's request, and of one by Gradio's clients."""

    fn_index: int
    session_hash: Annotated[str, Field(min_length=1, max_length=64)]


def check_route(method: str, path: str) -> None:
    """Raises RefusedError for a route that is closed, and for a file that is not an answer's."""
    if not re.fullmatch(OPEN.get(method, "(?!)"), path):
        raise RefusedError(404, "Not found. Check the address.")
    if path.startswith(f"{API}/file="):
        file = Path(path.removeprefix(f"{API}/file="))
        if STORE.path(file.parent.name) != file:
            raise RefusedError(404, "Not found. Only the files of answers are served.")


def checked(name: str | None, body: bytes, inputs: Mapping[str, int]) -> bytes:
    """The body of a request for an endpoint, which Gradio finds by its name or number.

    ``inputs`` is the number of each endpoint's inputs. Raises RefusedError.
    """
    try:
        asked = (Call if name else Join).model_validate_json(body)
    except ValidationError:
        raise RefusedError(400, f"Send JSON with a list “data”; see {API}/info.") from None
    if isinstance(asked, Join):
        name = dict(enumerate(inputs)).get(asked.fn_index)
    if name not in inputs:
        raise RefusedError(404, f"There is no such endpoint. See {API}/info.")
    if len(asked.data) != inputs[name]:
        raise RefusedError(400, f"Send a list of {inputs[name]} values as “data”.")
    asked.data = without_files(asked.data)
    return asked.model_dump_json().encode()


def without_files(value: Any) -> Any:
    """JSON in which Gradio finds no file, which it would open, or fetch from another server."""
    if isinstance(value, dict):
        return {key: without_files(inside) for key, inside in value.items() if key != "meta"}
    return [without_files(inside) for inside in value] if isinstance(value, list) else value
