"""The page: a Gradio app on ``gclip_core``. Start it with ``python app.py``.

Any change of an input is one event, ``demo.answer.answer``: settings are read once, a scene is
made of photo and settings, and the outputs of the open tab that depend on what changed are sent.
"""
