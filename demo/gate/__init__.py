"""The gate between clients and Gradio: a request over a limit gets a short error message.

``numbers`` bounds what is computed and cached, ``files`` what is stored and served, ``sessions``
what waits and what is unread, ``process`` connections, log and memory; ``requests`` is the
middleware that applies them.

The gate depends on undocumented parts of Gradio (``Blocks._queue``, ``fns``, ``server`` and
``upload_file_set``) and of Uvicorn (``Server.server_state``): ``tests/demo/test_gate.py`` calls all
of them through a running page, and fails if one changes.
"""

API = "/gradio_api"
"""Where Gradio's own routes begin."""
