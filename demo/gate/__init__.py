"""The gate between strangers and Gradio: each limit is one comparison with one error message.

``numbers`` bounds what is computed and cached, ``files`` what is stored and served, ``sessions``
who waits and who reads, and ``requests`` is the middleware that asks the others.
"""

API = "/gradio_api"
"""Where Gradio's own routes begin."""
