"""Arrays in, pictures out. Knows no model and no page."""
