"""The web page: what a person sees of gclip_core.

The life of a request, from a press on a switch to the mask:

1. A lane is a tab with a queue that its requests may wait in (``tabs.LANES``): most tabs have two.
   Each lane has a hidden text. ``ask`` in ``web/page/waiting.js`` counts in that of the open tab.
2. A change of the text is an event of Gradio (:meth:`page.Page._wire_tab`). It sends the values of
   all controls to :meth:`page.Page._show`.
3. ``_show`` makes a :class:`request.Request`: the settings and the path of an upload.
4. :func:`answer.resolve` reads it into a :class:`request.Question`: the picture, the parsed words,
   the methods, the key of the cache. An upload goes through the tower here: its words and its
   background may depend on the words that the tower suggests.
5. :func:`answer.compute` makes an :class:`answer.Answer`: the mask of the chosen method, and what
   AMF and CS do. The :class:`engine.Engine` has the backbones and caches what is computed.
6. The tab's own ``compute`` makes its frozen content of the answer, and its ``view`` what each
   component shows (:mod:`tabs`). :mod:`around` does so for what is around the tabs.
7. :func:`widgets.values.as_json` makes JSON of it. ``Page`` caches it, and Gradio sends it with a
   :class:`page.Outcome`: the status lines, and the link to what is shown.
8. ``answered`` in ``web/page/page.js`` shows the status lines, unless the visitor left the tab. It
   asks for the reasons at a pinned pixel (:mod:`tabs.why`), which are a request of their own.
9. The browser draws it (``web/gradio.js``). Pictures and matrices are only named in it: the browser
   fetches them as ``/blob/NAME``, and :mod:`host.blob_store` makes them then.
"""
