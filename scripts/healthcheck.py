"""Exit with 0 when the service of this machine answers, by whichever of HTTP and HTTPS it speaks."""

import os
import ssl
import sys
import urllib.request

PORT = os.environ.get("TOCSIN_PORT", "9200")
HOST = os.environ.get("TOCSIN_HOST", "127.0.0.1")
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # listened on, and asked instead
# The certificate is made out to the name that others use, not to this address, and nothing secret is sent.
ANY_CERTIFICATE = ssl.create_default_context()
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


def answers(scheme: str) -> bool:
    """Tell whether the service answers by a scheme that it is alive."""
    host = EVERY_ADDRESS.get(HOST, HOST)
    address = f"[{host}]" if ":" in host else host
    direct = urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=ANY_CERTIFICATE))
    try:
        with opener.open(f"{scheme}://{address}:{PORT}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


sys.exit(not (answers("http") or answers("https")))
