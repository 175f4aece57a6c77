"""A dataset on disk looked through before a long run; what the verb `check` does for each layout."""
