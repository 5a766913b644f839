"""All services that judge observables."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.response.reputation.services.abuseipdb import ABUSEIPDB
from tocsin.response.reputation.services.hybrid_analysis import HYBRID_ANALYSIS
from tocsin.response.reputation.services.service import ReputationProvider
from tocsin.response.reputation.services.virustotal import VIRUSTOTAL

SERVICES: Mapping[str, ReputationProvider] = {
    service.id: service for service in (VIRUSTOTAL, HYBRID_ANALYSIS, ABUSEIPDB)
}
