"""Aurora PostgreSQL through the RDS Data API: catalogue, values, statements, calls."""
