"""Load on the real page: many visitors at once, each answer checked against the one alone."""
