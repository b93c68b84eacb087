"""Reading the database: queries and the report. Nothing here changes a row."""
