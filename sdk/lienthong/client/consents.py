"""Checking the chain of a consent's revisions, as ConsentService.ListConsentRevisions returns them."""

import hashlib
import json
from collections.abc import Iterable

from lienthong.api.consent.v1.consent_pb2 import ConsentRevision


def chain_fault(revisions: Iterable[ConsentRevision]) -> str:
    """Return what is wrong with a chain of revisions, those of every page from the first on; empty if nothing is.

    Wrong is a number that is missing, a document that is not its digest's or cannot be read, and one that does not hold
    the digest of the revision before.
    """
    before = ""
    for number, revision in enumerate(revisions, start=1):
        if revision.revision != number:
            return f"revision {number} is missing"
        if hashlib.sha256(revision.document).hexdigest() != revision.digest:
            return f"the document of revision {number} is not the one its digest was made of"
        try:
            document = json.loads(revision.document)
            follows = document["digest_before"], document["revision"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return f"the document of revision {number} is none of a revision"
        if follows != (before, number):
            return f"revision {number} does not follow revision {number - 1}"
        before = revision.digest
    return ""
