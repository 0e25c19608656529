"""Learn: the lesson of ``lesson.toml``, on one photo and the built-in model, for everybody.

:mod:`numbers` are what it measures, :mod:`figures` its pictures, :mod:`pages` its words.
"""

from demo import widgets
from demo.answer import Answer
from demo.controls import Controls, Tab, in_browser, unplant
from demo.engine import Engine
from demo.tabs.learn import figures, numbers
from demo.tabs.learn.numbers import REQUEST
from demo.tabs.learn.pages import LessonContent, view

__all__ = ["REQUEST", "LessonContent", "build", "compute", "view"]


def build(engine: Engine, controls: Controls) -> Tab:
    """The lesson; its last button opens the file chooser with AMF and CS on. A fault that was
    planted in another tab is named, and ends with a press."""
    lesson = widgets.lesson(elem_id="lesson")
    both = [controls["amf"], controls["cs"]]
    own_photo = widgets.on(lesson, "ownPhoto")(**in_browser("() => [true, true]", outputs=both))
    ended = widgets.on(lesson, "endSimulation")(**unplant(controls))
    return Tab({"lesson": lesson}, [own_photo, ended])


def compute(engine: Engine, answer: Answer) -> LessonContent:
    """What the lesson measures; ``answer`` is that of REQUEST."""
    return LessonContent(numbers.compute(engine, answer), figures.figures(engine, answer.question))
