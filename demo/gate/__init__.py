"""The gate between clients and Gradio: each limit is one comparison with one error message.

``numbers`` bounds what is computed and cached, ``files`` what is stored and served, ``sessions``
what waits and what is unread, ``process`` connections, log and memory; ``requests`` is the
middleware that applies them.
"""

API = "/gradio_api"
"""Where Gradio's own routes begin."""
