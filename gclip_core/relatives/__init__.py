"""Other methods with steps of their own: last blocks, and FreeCP, which can follow any method."""
