"""How documents are made and sent: accounts, regions, document, bucket, progress."""
