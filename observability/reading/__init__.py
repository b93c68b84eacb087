"""Reading the database: queries and the report. Nothing here changes a row."""

from observability.reading.command import only_reads as only_reads
from observability.reading.command import read as read
from observability.reading.publish import prepare_report as prepare_report
from observability.reading.publish import publish_report as publish_report
