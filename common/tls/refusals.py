"""Why a TLS connection did not come about, in words for a log."""

from __future__ import annotations

import ssl
from typing import Final

# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_CERTIFICATES: Final = {
    2: "it was issued by an authority that is not trusted",
    3: "there is no revocation list of its authority",
    7: "its signature is wrong",
    9: "it is not valid yet",
    10: "it has expired",
    12: "the revocation list of its authority is out of date",
    18: "it is self-signed, and not trusted itself",
    19: "its chain ends in an authority that is not trusted",
    20: "it was issued by an authority that is not trusted",
    21: "it was issued by an authority that is not trusted",
    23: "it was revoked",
    24: "its issuer is no authority",
    26: "it is not meant for this use",
    62: "it is of another name",
    64: "it is of another address",
    66: "its key is too weak",
    67: "its authority's key is too weak",
    68: "its signature's digest is too weak",
}
_OTHERS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the other side gave no certificate",
    "HTTP_REQUEST": "plain HTTP came where TLS is spoken",
    "WRONG_VERSION_NUMBER": "what came is not TLS",
    "UNSUPPORTED_PROTOCOL": "the other side speaks an old version of TLS only",
    "NO_SHARED_CIPHER": "no cipher suite is known to both sides",
    "TLSV1_ALERT_UNKNOWN_CA": "the other side does not trust our certificate's authority",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the other side says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the other side says that our certificate was revoked",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the other side does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the other side does not accept our certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the other side wants a certificate, and we have none",
}


def reason(error: OSError) -> str:
    """One sentence's end; nothing in it was chosen by the other side."""
    if isinstance(error, ssl.SSLCertVerificationError):
        told = _CERTIFICATES.get(error.verify_code, f"it does not hold (OpenSSL's verdict {error.verify_code})")
        return f"the certificate was refused: {told}"
    if isinstance(error, ssl.SSLError):
        return _OTHERS.get(error.reason or "", (error.reason or "the handshake failed").replace("_", " ").lower())
    return "the connection was lost while TLS was agreed on"
