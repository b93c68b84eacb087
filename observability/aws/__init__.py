"""Access to AWS: sessions, clients, limits on calls, pages, and what errors mean."""
