"""Which classes: typed words, their text embeddings, suggested words and the word lists."""
