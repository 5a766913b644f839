"""The desk as a part of the service's application."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tocsin.api.app import create_app
from tocsin.api.service import Service
from tocsin.desk.access import audit, keys, log_in, settings, users
from tocsin.desk.access.once_links import OnceLinks
from tocsin.desk.alert import evidence
from tocsin.desk.alert import guide_osquery as alert_guide_osquery
from tocsin.desk.alert import guide_routes as alert_guide
from tocsin.desk.alert import routes as alert
from tocsin.desk.alerts import actions as alert_actions
from tocsin.desk.alerts import arrivals as alert_arrivals
from tocsin.desk.alerts import flyout as alert_flyout
from tocsin.desk.alerts import routes as alerts
from tocsin.desk.alerts import saved_views as alert_views
from tocsin.desk.alerts.undo_offers import UndoOffers
from tocsin.desk.cases import changes as case_changes
from tocsin.desk.cases import evidence as case_evidence
from tocsin.desk.cases import new as new_cases
from tocsin.desk.cases import reports as case_reports
from tocsin.desk.cases import routes as cases
from tocsin.desk.exceptions import alert_routes as alert_exceptions
from tocsin.desk.exceptions import item_routes as exception_items
from tocsin.desk.exceptions import list_routes as exception_lists
from tocsin.desk.exceptions import value_list_routes as value_lists
from tocsin.desk.hosts import host_routes
from tocsin.desk.hosts import packs as host_packs
from tocsin.desk.hosts import queries as host_queries
from tocsin.desk.hosts import routes as hosts
from tocsin.desk.indicators import hunt_routes as indicator_hunts
from tocsin.desk.indicators import list_routes as indicator_lists
from tocsin.desk.indicators import reputation
from tocsin.desk.indicators import service_routes as reputation_services
from tocsin.desk.measures import routes as measures
from tocsin.desk.overview import attack, health
from tocsin.desk.overview import routes as overview
from tocsin.desk.pages import STATIC
from tocsin.desk.queries import routes as queries
from tocsin.desk.reports import routes as reports
from tocsin.desk.response import automatic as response_automatic
from tocsin.desk.response import connectors as response_connectors
from tocsin.desk.response import preparing as response_preparing
from tocsin.desk.response import routes as response
from tocsin.desk.rule_editor import routes as rule_editor
from tocsin.desk.rules import file_import as rule_import
from tocsin.desk.rules import page as rule
from tocsin.desk.rules import routes as rules
from tocsin.desk.rules import versions as rule_versions
from tocsin.desk.timeline import exports as timeline_exports
from tocsin.desk.timeline import routes as timeline
from tocsin.desk.timeline import saved as saved_timelines
from tocsin.response.measures.measured_alerts import MeasuredAlertsReader

# Routes with a fixed path stand before those whose path has a name in its place.
_ROOMS = (
    log_in,
    settings,
    users,
    keys,
    audit,
    alerts,
    alert_views,
    reports,
    alert_actions,
    alert_arrivals,
    alert_flyout,
    alert,
    alert_guide,
    alert_guide_osquery,
    evidence,
    new_cases,
    case_evidence,
    case_reports,
    case_changes,
    cases,
    overview,
    attack,
    health,
    measures,
    alert_exceptions,
    queries,
    rule_editor,
    rules,
    rule_import,
    rule_versions,
    rule,
    timeline,
    timeline_exports,
    saved_timelines,
    exception_lists,
    exception_items,
    value_lists,
    response_automatic,
    response_preparing,
    response_connectors,
    response,
    indicator_lists,
    indicator_hunts,
    reputation_services,
    reputation,
    hosts,
    host_queries,
    host_packs,
    host_routes,
)


class _Assets(StaticFiles):
    """Scripts and styles, whose addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, which a browser may keep."""
        reply = await super().get_response(path, scope)
        reply.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return reply


def create_app_with_desk(service: Service, links: OnceLinks | None = None) -> FastAPI:
    """Return the application of a service with the desk's pages. `links` are those that log somebody in once."""
    app = create_app(service, [room.router for room in _ROOMS])
    app.state.once_links = links or OnceLinks()
    app.state.undo_offers = UndoOffers()
    app.state.measured_alerts = MeasuredAlertsReader(service.records, service.alerts)
    app.mount("/desk/static", _Assets(directory=STATIC, check_dir=False), name="desk")
    return app
