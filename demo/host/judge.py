"""Judges what a request asks for, before it waits: the event's name, its values, files' paths.

Gradio would look at values only when the request's turn comes, and would fetch what a file's
address names.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.exceptions import HTTPException

from demo.host.files import is_uploaded

Check = Callable[[Any], str]
"""What is wrong with an endpoint's values, a list or a mapping by name; empty for nothing."""

API = "/gradio_api"
JOIN = f"{API}/queue/join"
NAMED = re.compile(rf"{API}/(call/v2|call)/([^/]+)")
MAX_DEPTH = 16
"""Containers within containers."""
MAX_SESSION = 64
"""Characters of a session's name."""

NO_ENDPOINT = "There is no such endpoint."
NO_LIST = "“data” takes a list of values."
NOT_JSON = "A JSON object was expected, but this could not be read as one."
TOO_DEEP = f"JSON of at most {MAX_DEPTH} levels was expected."
NOT_UPLOADED = (
    "An uploaded file was expected, but the path or address of another file came. Upload the "
    "picture first."
)


class Judge:
    """Checks requests: ``events`` are Gradio's by number, ``checks`` are by public name."""

    def __init__(self, events: Mapping[int, Any], checks: Mapping[str, Check]) -> None:
        self._events = events
        self._checks = checks

    def judge(self, path: str, data: bytes) -> tuple[dict[str, Any], str]:
        """What Gradio may read of a JSON body, and its session; a call by name has no session.

        Raises:
            HTTPException: no such endpoint, values that it does not take, or a file that is no
                upload.
            ValueError: neither the page nor a program sends this.
        """
        named, session = NAMED.fullmatch(path), ""
        if named and named[2] not in self._checks:
            raise HTTPException(404, NO_ENDPOINT)
        body = read_object(data)
        if named is None:
            session = self._check_event(body)
        elif named[1] == "call/v2":
            self._check_values(named[2], body)
        else:
            body = {"data": _values(body)}  # Gradio would also take another event's number
            self._check_values(named[2], body["data"])
        check_files(body)
        return body, session

    def _check_event(self, body: Mapping[str, Any]) -> str:
        """Check a request to the queue; returns its session."""
        event = self._events.get(body.get("fn_index"))
        if event is None:
            raise HTTPException(404, NO_ENDPOINT)
        values = _values(body)
        if event.api_name in self._checks:
            self._check_values(event.api_name, values)
        for component, value in zip(event.inputs, values, strict=True):
            model = getattr(component, "data_model", None)
            if model is not None and value is not None:
                model.model_validate(value)
        data = body.get("event_data")
        if event.collects_event_data and not (
            isinstance(data, dict) and {"index", "value"} <= data.keys()
        ):
            raise ValueError("an index and a value were expected")
        session = body.get("session_hash")
        if not (isinstance(session, str) and 0 < len(session) <= MAX_SESSION):
            raise ValueError(f"a session of 1 to {MAX_SESSION} characters was expected")
        return session

    def _check_values(self, name: str, values: Any) -> None:
        """Check the values of a public endpoint."""
        problem = self._checks[name](values)
        if problem:
            raise HTTPException(422, problem)


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        HTTPException: it is none, or has what an answer could not contain: NaN, half characters.
    """
    try:
        body = orjson.loads(data)
    except ValueError as error:
        raise HTTPException(400, NOT_JSON) from error
    if not isinstance(body, dict):
        raise HTTPException(400, NOT_JSON)
    return body


def _values(body: Mapping[str, Any]) -> list[Any]:
    values = body.get("data")
    if not isinstance(values, list):
        raise HTTPException(422, NO_LIST)
    return values


def check_files(value: Any, depth: int = 0) -> None:
    """Check that files in a JSON body are uploads of this server; an address becomes a path."""
    if depth > MAX_DEPTH:
        raise HTTPException(400, TOO_DEEP)
    if isinstance(value, dict):
        if value.get("path") is not None:
            value["path"] = local_path(value["path"])
            if not is_uploaded(value["path"]):
                raise HTTPException(422, NOT_UPLOADED)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            check_files(item, depth + 1)


def local_path(path: Any) -> Any:
    """The path within the address of an uploaded file; any other value as it is."""
    _, sign, inside = path.partition(f"{API}/file=") if isinstance(path, str) else ("", "", "")
    return unquote(inside) if sign else path
