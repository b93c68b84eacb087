"""The parts of the strict RDS Data API; tests/cloud/data_api.py puts them together."""
