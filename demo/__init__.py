"""The page: Gradio's Server mode on ``gclip_core``. Start it with ``python app.py``.

The browser owns the state (``web/state.js``); ``server.answer`` computes pieces of what it shows.

- ``answer``: the pieces, the tabs that show them, and the settings that they use
- ``segment``, ``diagram``, ``compare``, ``lessons``, ``share``: the tabs, drawn with ``canvas``,
  ``drawing`` and ``plots``
- ``settings``, ``photo``, ``backbones``, ``space``: what a visitor chooses, and where it is
  computed; ``scene`` joins them, and ``patches`` pools what it computes
- ``main``, ``server``, ``api``: the command line, and the routes of browsers and programs;
  ``computing`` answers them in ``turns``
- ``limits``: what one visitor may ask; ``door``, ``routes``, ``login``, ``turns``, ``store`` and
  ``pictures`` enforce it
- ``errors``: what a visitor is told of one
- ``plain``: a small page of Gradio's own components instead
"""
