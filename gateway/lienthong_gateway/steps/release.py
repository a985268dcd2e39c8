"""Step 7, release: what the caller is told beside the answer, in trailing metadata."""

from lienthong.client.context import Header
from lienthong_gateway.call import Trailer
from lienthong_gateway.exchange import Released, Trace


def trailing_metadata(trace: Trace, log_index: int | None, released: Released | None) -> Trailer:
    """Return the receipt: exchange id, place in the log (unless it could not be written), request, datasets."""
    pairs = [
        (Header.EXCHANGE_ID, trace.exchange_id),
        (Header.REQUEST_HASH, trace.digests.request_hash),
        (Header.DIGEST_KEY, trace.digests.key.hex()),
        (Header.DATASETS_RELEASED, ",".join(released.datasets) if released else ""),
        (Header.DATASETS_WITHHELD, ",".join(released.withheld) if released else ""),
    ]
    if log_index is not None:
        pairs.append((Header.LOG_INDEX, str(log_index)))
    return tuple((str(key), value) for key, value in pairs)
