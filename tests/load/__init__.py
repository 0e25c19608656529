"""Load and attacks on the real page."""
