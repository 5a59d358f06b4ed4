"""One module per class: ranges of its numbers, its choices of parts, and how it is built."""
