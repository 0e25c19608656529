"""Masks and words drawn on pictures. Uses no model and no page."""
