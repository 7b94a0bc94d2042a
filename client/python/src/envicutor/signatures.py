"""
Owns Ed25519 signatures over DSSE's pre-authentication encoding, by the package `cryptography`.
Never raises for bytes that are no key or no signature: they have signed nothing.
"""

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "receipts are checked by the package 'cryptography', which is not installed: pip install 'envicutor[receipts]'"
    ) from error


def is_signed(public_key: bytes, signature: bytes, payload_type: str, payload: bytes) -> bool:
    """Did this key (SPKI DER) sign this payload as this type?"""
    kind = payload_type.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    try:
        key = load_der_public_key(public_key)
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(signature, signed)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
