"""Steps of other methods: an attention, last blocks, and FreeCP, which can follow any method."""
