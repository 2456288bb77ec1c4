"""List a source, choose objects, split them, cut the list into shards."""
