"""Brings Superset's own database up to date, sets the login, and imports the dashboards.

Its input is one JSON object: `password` of the user admin, and `files`, which are imported. What an
earlier start brought is replaced; what people have made stays.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from superset.app import create_app

ADMIN = "admin"


def set_login(password: str) -> Any:
    """Give the user admin this password; make the user if there is none. Returns the user."""
    from superset import security_manager

    user = security_manager.find_user(ADMIN)
    if user:
        security_manager.reset_password(user.id, password)
        return user
    role = security_manager.find_role("Admin")
    return security_manager.add_user(
        ADMIN, ADMIN, ADMIN, "admin@localhost.invalid", role, password=password
    )


def prepare(password: str, files: dict[str, str]) -> None:
    """Do all of it, within Superset."""
    from flask import g
    from flask_migrate import upgrade
    from superset import appbuilder, security_manager
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.extensions import db

    upgrade()
    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()
    g.user = set_login(password)
    db.session.commit()
    ImportAssetsCommand(files).run()


def main() -> None:
    """Read the input and prepare."""
    given = json.load(sys.stdin)
    with create_app().app_context():
        prepare(given["password"], given["files"])


if __name__ == "__main__":
    main()
