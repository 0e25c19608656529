"""From and to pictures: reading images, masks of pixels, their edges and their colours."""
