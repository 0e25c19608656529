"""From and to images: reading them, masks of pixels, their edges and their colours."""
