"""How the built-in model is trained and measured (README.md)."""
