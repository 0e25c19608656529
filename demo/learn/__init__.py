"""What everybody sees first and learns by: the opening picture, and the lesson on one photo."""
