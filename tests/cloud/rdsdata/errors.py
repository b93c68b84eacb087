"""The errors of the RDS Data API: their names, HTTP statuses and texts."""

from __future__ import annotations

from psycopg import pq

HTTP_STATUS = {
    "AccessDeniedException": 403,
    "BadRequestException": 400,
    "DatabaseErrorException": 400,
    "DatabaseNotFoundException": 404,
    "DatabaseResumingException": 400,
    "DatabaseUnavailableException": 504,
    "ForbiddenException": 403,
    "HttpEndpointNotEnabledException": 400,
    "InternalFailure": 500,
    "InternalServerErrorException": 500,
    "InvalidResourceStateException": 400,
    "InvalidSecretException": 400,
    "NotFoundException": 404,
    "SecretsErrorException": 400,
    "SerializationException": 400,
    "ServiceUnavailableError": 503,
    "StatementTimeoutException": 400,
    "TransactionNotFoundException": 404,
    "UnknownOperationException": 404,
    "UnsupportedResultException": 400,
    "ValidationException": 400,
}

# What the service adds to "Transaction ... is not found".
EXPIRED = "Transaction may be expired."
TERMINATED = "One previous call resulted in a termination of your transaction."


class ServiceError(Exception):
    """An answer of the Data API that is not a success.

    Args:
        code: the error's name, which decides the HTTP status.
        message: its text; empty for the errors that AWS sends without one.
        connection_id: the server process of a statement that timed out.
    """

    def __init__(self, code: str, message: str = "", connection_id: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.connection_id = connection_id

    @property
    def status(self) -> int:
        return HTTP_STATUS[self.code]


def invalid(message: str) -> ServiceError:
    """A request the service refuses before the database sees it."""
    return ServiceError("ValidationException", message)


def transaction_not_found(identifier: str, reason: str = "") -> ServiceError:
    return ServiceError(
        "TransactionNotFoundException", f"Transaction {identifier} is not found. {reason}".rstrip()
    )


def database_error(result: pq.abc.PGresult) -> ServiceError:
    """The server's error in the Data API's one line. DETAIL is not part of it, as in AWS."""

    def field(code: pq.DiagnosticField) -> str:
        return " ".join((result.error_field(code) or b"").decode(errors="replace").split())

    parts = [
        f"{field(pq.DiagnosticField.SEVERITY_NONLOCALIZED)}: "
        f"{field(pq.DiagnosticField.MESSAGE_PRIMARY)}"
    ]
    if hint := field(pq.DiagnosticField.MESSAGE_HINT):
        parts.append(f"Hint: {hint}")
    if position := field(pq.DiagnosticField.STATEMENT_POSITION):
        parts.append(f"Position: {position}")
    parts.append(f"SQLState: {field(pq.DiagnosticField.SQLSTATE)}")
    return ServiceError("DatabaseErrorException", "; ".join(parts))
