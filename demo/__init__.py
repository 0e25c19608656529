"""The web page: what a person sees of gclip_core."""
