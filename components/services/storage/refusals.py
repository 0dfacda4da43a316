"""What an S3 store refuses, as sentences with a remedy."""

from __future__ import annotations

REFUSED = {
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AllAccessDisabled",
}
# What a store says to one whom it does not know, whatever is asked.
UNKNOWN = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId"),
    *("RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "InvalidSecurity", "401", "Unauthorized"),
}
# What a store says of one object, whatever it says of others.
OF_ONE_OBJECT = {"NoSuchKey", "404", "InvalidObjectState", "AccessDenied", "403", "NoSuchVersion"}

BEYOND_THE_END = {"InvalidRange", "416"}  # what it says where the first byte of a range is not there


def refusal(error: Exception, uri: str, place: str, code: str) -> str:
    """What the store at `place` said to a question about an address, by its code, with the remedy."""
    said, bucket = getattr(error, "response", {}).get("Error", {}), uri.partition("://")[2].partition("/")[0]
    if code == "NoSuchBucket":
        return (
            f'no bucket "{bucket}" at {place} (wanted for {uri}); check its name, or make it, or point'
            " AWS_ENDPOINT_URL to the store that has it"
        )
    if code in ("NoSuchKey", "404"):
        return f"no object {uri} at {place}; check its name"
    if code == "InvalidObjectState":
        return f"{uri} lies in an archive of {place}; bring it back there first (restore-object)"
    if code == "RequestTimeTooSkewed":
        return (
            f"{place} refuses {uri}, as its clock and this machine's differ by too much; set the clock"
            " (timedatectl set-ntp true)"
        )
    if code in REFUSED | UNKNOWN:
        return (
            f"{place} refuses access to {uri} ({code}); check the credentials (AWS_ACCESS_KEY_ID or"
            " AWS_PROFILE) and their rights to list and read the bucket"
        )
    return (
        f"{place} refuses {uri}: {said.get('Message') or error} ({code}); check the address and the AWS_"
        " variables"
    )
