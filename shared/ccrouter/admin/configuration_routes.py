"""Export and import of the configuration of an installation."""

from fastapi import APIRouter, Request

from ccrouter.admin.audit_routes import note
from ccrouter.admin.configuration_export import exported
from ccrouter.admin.configuration_import import Import
from ccrouter.admin.configuration_schemas import ConfigurationView, ImportInput, ImportView
from ccrouter.admin.needs import Needs


def configuration_routes(needs: Needs) -> APIRouter:
    """The routes under `/configuration`."""
    routes = APIRouter(prefix="/configuration", tags=["configuration"])

    @routes.get("", operation_id="exportConfiguration", summary="Export the configuration")
    def export_configuration(request: Request) -> ConfigurationView:
        """Users, credentials, keys, webhooks, settings and own prices, without any secret: no password, no credential's
        `auth`, nothing of a key's secret, no webhook's. `POST` takes it over, here or in another installation."""
        with needs.engine.begin() as connection:
            document = exported(connection, needs.version)
            note(connection, request, "configuration.export", None)
        return document

    @routes.post("", operation_id="importConfiguration", summary="Import a configuration")
    def import_configuration(body: ImportInput, request: Request) -> ImportView:
        """Takes over what an export holds: all of it, or nothing where a member is at fault.

        An object is the one with the same id, else the one of the same name (a key's also by its owner), else it is
        made. Members that are left out stay as they are, and nothing is deleted. A second import of the same document
        changes nothing. A new credential is disabled until it is given a secret, a new key works once it has been
        rotated, a new webhook has a secret of its own, and a new user no password. `dry_run` only says what would
        change.
        """
        with needs.engine.connect() as connection, connection.begin() as transaction:
            taken = Import(needs, connection, request)
            taken.take_over(body.configuration)
            if body.dry_run:
                transaction.rollback()
        if not body.dry_run:
            for digest in taken.digests:
                needs.forget_key(digest)
            for credential_id in taken.restarted:
                needs.begin_anew(credential_id)
        changes = [
            change.model_copy(update={"id": None, "secret": None})
            if body.dry_run and change.action == "create"
            else change
            for change in taken.changes
        ]
        return ImportView(dry_run=body.dry_run, changes=changes, unchanged=taken.unchanged)

    return routes
