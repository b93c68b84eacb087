"""How a document is loaded: read, spooled, merged, moved."""
