"""Published numbers with their sources, measured results, and the static site that shows both."""
