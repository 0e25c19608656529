"""One file a tab: plain data out of a look. Knows no Gradio."""
