"""How the built-in model was made: sprites, scenes, training, packing and measurement."""
