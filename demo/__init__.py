"""The page: Gradio's Server mode on ``gclip_core``. Start it with ``python app.py``.

The browser owns the state (``web/state.js``); ``server.answer`` computes pieces of what it shows.
"""
