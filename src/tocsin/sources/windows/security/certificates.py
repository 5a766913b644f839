"""What the events of a certification authority (Active Directory Certificate Services) say of a request.

After `adcs.yml` of elastic/integrations. `Attributes` has a line `Name: value` for each attribute that the client
sent with a request, whose names may have blanks and hyphens and whose case does not matter; `SAN` has the names it
asks to be put into the certificate, as `upn=jo@example.com&dns=host.example.com`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.sources.mapping import Row, rows
from tocsin.sources.values import Converter, number, text

REQUESTS = (4886, 4887, 4888, 4889)
_ABOUT_A_REQUEST = (4868, 4869, 4873, 4874, *REQUESTS)
_DECIDED = (4887, 4888, 4889)
_SID = "tag:microsoft.com,2022-09-14:sid:"
_BLANKS = re.compile(r"[ \t-]")
_OBJECT_IDENTIFIER = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_DECIMAL = re.compile(r"[+-]?[0-9]+")

# CR_DISP_… of CertCli.h and CERTSRV_E_… of winerror.h, in order from the first of each block.
_BLOCKS = {
    ("CR_DISP_", 0): """
        INCOMPLETE ERROR DENIED ISSUED ISSUED_OUT_OF_BAND UNDER_SUBMISSION REVOKED
    """,
    ("CERTSRV_E_", 0x80094001): """
        BAD_REQUESTSUBJECT NO_REQUEST BAD_REQUESTSTATUS PROPERTY_EMPTY INVALID_CA_CERTIFICATE
        SERVER_SUSPENDED ENCODING_LENGTH ROLECONFLICT RESTRICTEDOFFICER KEY_ARCHIVAL_NOT_CONFIGURED
        NO_VALID_KRA BAD_REQUEST_KEY_ARCHIVAL NO_CAADMIN_DEFINED BAD_RENEWAL_CERT_ATTRIBUTE
        NO_DB_SESSIONS ALIGNMENT_FAULT ENROLL_DENIED TEMPLATE_DENIED DOWNLEVEL_DC_SSL_OR_UPGRADE
        ADMIN_DENIED_REQUEST NO_POLICY_SERVER WEAK_SIGNATURE_OR_KEY KEY_ATTESTATION_NOT_SUPPORTED
        ENCRYPTION_CERT_REQUIRED
    """,
    ("CERTSRV_E_", 0x80094800): """
        UNSUPPORTED_CERT_TYPE NO_CERT_TYPE TEMPLATE_CONFLICT SUBJECT_ALT_NAME_REQUIRED
        ARCHIVED_KEY_REQUIRED SMIME_REQUIRED BAD_RENEWAL_SUBJECT BAD_TEMPLATE_VERSION
        TEMPLATE_POLICY_REQUIRED SIGNATURE_POLICY_REQUIRED SIGNATURE_COUNT SIGNATURE_REJECTED
        ISSUANCE_POLICY_REQUIRED SUBJECT_UPN_REQUIRED SUBJECT_DIRECTORY_GUID_REQUIRED
        SUBJECT_DNS_REQUIRED ARCHIVED_KEY_UNEXPECTED KEY_LENGTH SUBJECT_EMAIL_REQUIRED
        UNKNOWN_CERT_TYPE CERT_TYPE_OVERLAP TOO_MANY_SIGNATURES RENEWAL_BAD_PUBLIC_KEY INVALID_EK
        INVALID_IDBINDING INVALID_ATTESTATION KEY_ATTESTATION CORRUPT_KEY_ATTESTATION
        EXPIRED_CHALLENGE INVALID_RESPONSE INVALID_REQUESTID REQUEST_PRECERTIFICATE_MISMATCH
        PENDING_CLIENT_RESPONSE SEC_EXT_DIRECTORY_SID_REQUIRED
    """,
}
_NAMES = {
    first + index: prefix + name
    for (prefix, first), names in _BLOCKS.items()
    for index, name in enumerate(names.split())
}


def _whole(value: str) -> int | None:
    return number(value) if _DECIMAL.fullmatch(value) else None


def _disposition(value: str) -> str | None:
    """Return the name of a disposition or error, a number of 32 bits that is written with or without sign."""
    code = _whole(value)
    return _NAMES.get(code % 2**32) if code is not None and -(2**31) <= code < 2**32 else None


def _account(value: str) -> tuple[str, str] | None:
    domain, _backslash, name = value.partition("\\")
    named = domain.strip() and name.strip() and "\\" not in name
    return (domain, name) if named else None


def _domain(value: str) -> str | None:
    account = _account(value)
    return account[0] if account else None


def _name(value: str) -> str | None:
    account = _account(value)
    return account[1] if account else None


def _pairs(lines: list[str], mark: str) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, separator, value = line.partition(mark)
        if separator and value.strip():
            yield name.strip(), value.strip()


def _attribute(wanted: str) -> Converter:
    """Return a converter that reads the values of an attribute of a request."""

    def read(value: str) -> list[str] | None:
        pairs = _pairs(value.splitlines(), ":")
        return [content for name, content in pairs if _BLANKS.sub("", name).lower() == wanted] or None

    return read


def _alternative_name(wanted: str) -> Converter:
    """Return a converter that reads the names of one kind that a request asks for."""
    san = _attribute("san")

    def read(value: str) -> list[str] | None:
        pairs = (pair for names in san(value) or () for pair in _pairs(names.split("&"), "="))
        return [content for name, content in pairs if name.lower() == wanted] or None

    return read


def _security_identifiers(value: str) -> list[str] | None:
    """Return the security identifiers that a request asks to be put into the certificate."""
    addresses = _alternative_name("url")(value) or ()
    sids = (address[len(_SID) :] for address in addresses if address.lower().startswith(_SID))
    return [sid for sid in sids if sid] or None


def _object_identifier(value: str) -> str | None:
    return value if _OBJECT_IDENTIFIER.fullmatch(value) else None


_REQUEST = "winlog.adcs.request"
_ATTRIBUTES = {
    "certificatetemplate": "certificate_template", "requestclientinfo": "request_client_info",
    "cdc": "cdc", "rmd": "rmd", "ccm": "ccm", "san": "san",
}  # fmt: skip
_ALTERNATIVE_NAMES = {"upn": "upn", "dns": "dns", "url": "uri"}

# Who asks for a certificate is the user where the event names no subject: these rows come before the subject's.
REQUESTERS: tuple[Row, ...] = rows(
    "Requester",
    ("user.domain", _domain),
    ("user.name", _name),
    ("related.user", _name),
    (f"{_REQUEST}.requester.domain", _domain),
    (f"{_REQUEST}.requester.name", _name),
    events=REQUESTS,
)
ROWS: tuple[Row, ...] = (
    *rows("RequestId", (f"{_REQUEST}.id", _whole), events=_ABOUT_A_REQUEST),
    *rows(
        "Disposition",
        (f"{_REQUEST}.disposition.code", _whole),
        (f"{_REQUEST}.disposition.name", _disposition),
        events=_DECIDED,
    ),
    *rows(
        "Attributes",
        *((f"{_REQUEST}.attributes.{field}", _attribute(name)) for name, field in _ATTRIBUTES.items()),
        *((f"{_REQUEST}.subject_alt_name.{f}", _alternative_name(name)) for name, f in _ALTERNATIVE_NAMES.items()),
        (f"{_REQUEST}.subject_alt_name.sid", _security_identifiers),
        events=REQUESTS,
    ),
    *rows(
        "ExtensionName",
        (f"{_REQUEST}.extension.name", text),
        (f"{_REQUEST}.extension.oid", _object_identifier),
        events=(4873,),
    ),
    *rows("BackupType", ("winlog.event_data.BackupTypeDescription", {"1": "full backup"}.get), events=(4876,)),
)
