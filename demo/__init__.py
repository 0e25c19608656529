"""The page: a Gradio app on ``gclip_core``. Start it with ``python app.py``.

Every change of an input triggers one event, ``demo.page.respond``: it reads the settings once,
builds a scene from photo and settings, and sends the outputs of the open tab that have changed.
"""
