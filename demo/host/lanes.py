"""Two lanes: what is light, such as a switch over a kept picture, does not wait for heavy work."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

LANE = "light"
PLACES = 2
"""Light requests that are worked on at a time, beside the heavy ones."""

IsLight = Callable[[Sequence[Any]], bool]


def light_where(is_light: IsLight, answer: Callable[..., Any]) -> Callable[..., Any]:
    """The event's function, marked with what says of its raw inputs whether that is light."""
    answer.is_light = is_light  # type: ignore[attr-defined]
    return answer


class Lanes:
    """Stands in the place of a Gradio queue's ``push``: what is light goes on to a lane of its own.

    There an event has a twin of its function, by which Gradio also keeps apart how long each takes:
    expected waits are those of the lane.
    """

    def __init__(self, queue: Any) -> None:
        self.queue, self.push, self.twins = queue, queue.push, {}
        queue.push = self

    async def __call__(self, body: Any, request: Any, username: str | None) -> Any:
        pushed = await self.push(body, request, username)
        event = self.queue.event_ids_to_events.get(pushed[1]) if pushed[0] else None
        is_light: IsLight | None = event and getattr(event.fn.fn, "is_light", None)
        if is_light and _holds(is_light, body.data):
            await self._move(event)
        return pushed

    async def _move(self, event: Any) -> None:
        queues = self.queue.event_queue_per_concurrency_id
        async with self.queue.delete_lock:
            waiting = queues[event.concurrency_id].queue
            if event not in waiting:
                return  # begun already
            waiting.remove(event)
            event.fn, event.concurrency_id = self._twin(event.fn), LANE
            queues[LANE].queue.append(event)
            self.queue.broadcast_estimations(LANE, len(queues[LANE].queue) - 1)

    def _twin(self, fn: Any) -> Any:
        if fn._id not in self.twins:
            twin = self.twins[fn._id] = copy.copy(fn)
            twin.concurrency_id, twin.concurrency_limit = LANE, PLACES
            self.queue.create_event_queue_for_fn(twin)
        return self.twins[fn._id]


def _holds(is_light: IsLight, data: Sequence[Any]) -> bool:
    try:
        return is_light(data)
    except Exception:  # what is wrong with it is said by who answers it
        return False
