"""What runs inside Superset's own environment; it imports nothing of this project."""
