"""Judges what a request asks for, before it waits: the event's name, its values, files' paths.

Gradio would look at values only when the request's turn comes, and would fetch what a file's
address names.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import orjson
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from demo.host.files import is_uploaded

Check = Callable[[Any], str]
"""What is wrong with an endpoint's values, a list or a mapping by name; empty for nothing."""

API = "/gradio_api"
JOIN = f"{API}/queue/join"
NAMED = re.compile(rf"{API}/(call/v2|call|api|run)/([^/]+)")
MAX_DEPTH = 16
"""Containers within containers."""
MAX_SESSION = 64
"""Characters of a session's name."""

NO_ENDPOINT = "There is no such endpoint."
NO_LIST = "“data” takes a list of values."
NOT_JSON = "A JSON object was expected, but this could not be read as one."
NOT_UPLOADED = (
    "An uploaded file was expected, but the path or address of another file came. Upload the "
    "picture first."
)


class Judge:
    """Knows what may be asked: ``events`` are Gradio's by number, ``checks`` are by public name."""

    def __init__(self, events: Mapping[int, Any], checks: Mapping[str, Check]) -> None:
        self._events = events
        self._checks = checks

    def judge(self, path: str, data: bytes) -> tuple[dict[str, Any], str]:
        """The JSON body of a request, and its session; an empty text where it names none.

        Files lose their address, so that nobody fetches it.

        Raises:
            HTTPException: no such endpoint, no JSON object, wrong values, or a file that is no
                upload.
        """
        named, session = NAMED.fullmatch(path), ""
        if named and named[2] not in self._checks:
            raise HTTPException(404, NO_ENDPOINT)
        body = read_object(data)
        if named and named[1] == "call/v2":
            self._check_values(named[2], body)
        else:
            session = _session(body, path == JOIN)
            if path == JOIN:
                self._check_event(body)
            elif named:
                self._check_call(named[2], body)
        check_files(body)
        return body, session

    def _check_call(self, name: str, body: Mapping[str, Any]) -> None:
        """Check a call of an endpoint by its name."""
        if body.get("fn_index") is not None:
            raise HTTPException(422, "“fn_index” is not taken with an endpoint's name.")
        if not isinstance(body.get("data"), list):
            raise HTTPException(422, NO_LIST)
        self._check_values(name, body["data"])

    def _check_event(self, body: Mapping[str, Any]) -> None:
        """Check a request to the queue."""
        number, values, data = body.get("fn_index"), body.get("data"), body.get("event_data")
        event = self._events.get(number) if type(number) is int else None
        if event is None:
            raise HTTPException(404, NO_ENDPOINT)
        if not isinstance(values, list):
            raise HTTPException(422, NO_LIST)
        self._check_values(event.api_name, values)
        takes = len(event.inputs)
        if len(values) != takes:
            raise HTTPException(422, f"“data” takes {takes} values here, but {len(values)} came.")
        for component, value in zip(event.inputs, values, strict=True):
            _check_kind(component, value)
        if event.collects_event_data and not (
            isinstance(data, dict) and {"index", "value"} <= data.keys()
        ):
            raise HTTPException(422, "“event_data” takes an index and a value.")

    def _check_values(self, name: str, values: Any) -> None:
        """Check the values of an event by its name, if it is a public endpoint."""
        problem = self._checks[name](values) if name in self._checks else ""
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


def _session(body: Mapping[str, Any], needed: bool) -> str:
    """The session that a body names; an empty text for none."""
    session = body.get("session_hash")
    if session is None and not needed:
        return ""
    if not (isinstance(session, str) and 0 < len(session) <= MAX_SESSION):
        raise HTTPException(422, f"“session_hash” takes a text of 1 to {MAX_SESSION} characters.")
    return session


def _check_kind(component: Any, value: Any) -> None:
    """Check a value that Gradio itself would read into a model, such as a file."""
    model = getattr(component, "data_model", None)
    if model is None or value is None:
        return
    try:
        model.model_validate(value)
    except ValidationError as error:
        raise HTTPException(422, NOT_UPLOADED) from error


def check_files(value: Any, depth: int = 0) -> None:
    """Check that files in a JSON body are uploads of this server, and take away their addresses."""
    if depth > MAX_DEPTH:
        raise HTTPException(400, f"JSON of at most {MAX_DEPTH} levels was expected.")
    if isinstance(value, dict):
        if value.get("path") is not None:
            value["path"] = local_path(value["path"])
            if not is_uploaded(value["path"]):
                raise HTTPException(422, NOT_UPLOADED)
        value.pop("url", None)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            check_files(item, depth + 1)


def local_path(path: Any) -> Any:
    """The path within the address of an uploaded file; any other value as it is."""
    _, sign, inside = path.partition(f"{API}/file=") if isinstance(path, str) else ("", "", "")
    return unquote(inside) if sign else path
