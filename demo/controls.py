"""The page's components that hold settings: from their values to Settings and back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.settings import Settings
from gclip_core.errors import GclipError

logger = logging.getLogger(__name__)

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Control:
    """One setting's component; ``read`` turns its value into the setting's, ``write`` back."""

    name: str
    component: Component
    read: Convert
    write: Convert
    triggers: bool


@dataclass
class Controls:
    """All settings that have a component, in the order they were added."""

    items: list[Control] = field(default_factory=list)

    def add(
        self,
        name: str,
        component: Component,
        read: Convert | None = None,
        write: Convert | None = None,
        triggers: bool = True,
    ) -> Component:
        """Register the component of a setting; a change of it makes the page answer."""
        assert name in {f.name for f in fields(Settings)}, name
        self.items.append(Control(name, component, read or _same, write or _same, triggers))
        return component

    def add_text(self, name: str, component: Component, triggers: bool = True) -> Component:
        """Register a text field that is read and written as in a link ("6 7", "backbone")."""
        kind = next(f.metadata["kind"] for f in fields(Settings) if f.name == name)

        def read(text: Any) -> Any:
            try:
                return kind.read(str(text or "").strip())
            except ValueError as wanted:
                raise GclipError(
                    f"“{component.label}”: {wanted} was expected, but “{str(text)[:40]}” came."
                ) from None

        return self.add(name, component, read, kind.write, triggers)

    @property
    def components(self) -> list[Component]:
        """Inputs of an event that needs the settings."""
        return [item.component for item in self.items]

    def component(self, name: str) -> Component:
        """The component of the setting of that name."""
        return next(item.component for item in self.items if item.name == name)

    def settings(self, values: Sequence[Any]) -> Settings:
        """Settings from the components' values, in the order of :attr:`components`.

        An event wired before all were added brings fewer: the later settings keep their defaults.

        Raises:
            GclipError: a field holds something that is no such setting.
        """
        assert len(values) <= len(self.items)
        found = {
            item.name: read_raw(item.read, value, _KEYS[item.name]["key"])
            for item, value in zip(self.items, values, strict=False)
        }
        return Settings(
            **{k: bounded(k, v) for k, v in found.items() if v is not None or k in _NULLABLE}
        )

    def updates(self, settings: Settings) -> dict[Component, Any]:
        """Every component's value for these settings."""
        return {item.component: item.write(getattr(settings, item.name)) for item in self.items}


_NULLABLE = frozenset({"view_block", "view_head", "patch", "pixel"})


_KEYS = {f.name: f.metadata for f in fields(Settings)}


def read_raw(read: Convert, value: Any, name: str) -> Any:
    """What ``read`` makes of a component's raw value, which may be anything at all.

    Raises:
        GclipError: ``read`` wanted another kind of value.
    """
    try:
        return read(value)
    except GclipError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError, LookupError) as error:
        raise GclipError(
            f"“{name}”: another kind of value was expected, but “{str(value)[:40]}” came."
        ) from error


def in_words(event: Callable[..., Any]) -> Callable[..., Any]:
    """An event or endpoint whose refusals reach the visitor in words.

    What nobody foresaw goes to the log.
    """

    @wraps(event)
    def asked(*values: Any, **named: Any) -> Any:
        try:
            return event(*values, **named)
        except GclipError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            logger.exception("an event failed")
            raise gr.Error(wording.failed(error), print_exception=False) from error

    return asked


def bounded(name: str, value: Any) -> Any:
    """The value as a link would carry it, so that a forged request sets no more than a link can.

    Words are bounded where they are read.
    """
    if value is None or (name == "words" and isinstance(value, str)):
        return value
    kind, wanted = _KEYS[name]["kind"], "another kind of value"
    try:
        written = kind.write(value)
    except (TypeError, ValueError, AttributeError, OverflowError):
        written = None
    if isinstance(written, str):
        try:
            return kind.read(written)
        except ValueError as error:
            wanted = str(error)
    raise GclipError(
        f"“{_KEYS[name]['key']}”: {wanted} was expected, but “{str(value)[:40]}” came."
    )


def _same(value: Any) -> Any:
    return value
