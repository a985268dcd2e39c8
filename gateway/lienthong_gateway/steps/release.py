"""Step 7, release: what the caller is told beside the answer, in trailing metadata."""

from lienthong.client.context import Header
from lienthong_gateway.call import Trailer
from lienthong_gateway.exchange import Released, Trace

_EXCHANGE_ID, _LOG_INDEX = str(Header.EXCHANGE_ID), str(Header.LOG_INDEX)
_REQUEST_HASH, _DIGEST_KEY = str(Header.REQUEST_HASH), str(Header.DIGEST_KEY)
_RELEASED, _WITHHELD = str(Header.DATASETS_RELEASED), str(Header.DATASETS_WITHHELD)


def trailing_metadata(trace: Trace, log_index: int | None, released: Released | None) -> Trailer:
    """Return the receipt: exchange id, place in the log (unless it could not be written), request, datasets."""
    request = trace.digests.of_request()
    trailer = (
        (_EXCHANGE_ID, trace.exchange_id),
        (_REQUEST_HASH, request.plain),
        (_DIGEST_KEY, trace.digests.key.hex()),
        (_RELEASED, ",".join(released.datasets) if released else ""),
        (_WITHHELD, ",".join(released.withheld) if released else ""),
    )
    return trailer if log_index is None else (*trailer, (_LOG_INDEX, str(log_index)))
