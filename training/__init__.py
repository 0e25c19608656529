"""How the built-in model was made: sprites, scenes, training, export and measurement."""
