"""Dashboards in Apache Superset: what they show, and what starts a Superset that shows it."""
