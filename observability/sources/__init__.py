"""What several collectors read once."""
