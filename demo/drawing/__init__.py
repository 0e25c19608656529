"""Arrays in, pictures and plots out. Knows no model and no page."""
