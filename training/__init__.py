"""The recipe that fine-tunes the built-in model, and the measures on its card (README.md)."""
