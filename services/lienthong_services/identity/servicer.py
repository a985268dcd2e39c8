"""E-identity accounts for agencies: the contract's methods on the store."""

import grpc

from lienthong.api.identity.v1 import identity_pb2 as messages
from lienthong.api.identity.v1.identity_pb2_grpc import IdentityServiceServicer
from lienthong_core.clock import Clock
from lienthong_core.dates import timestamp
from lienthong_core.errors import invalid, not_found
from lienthong_core.personal_numbers import check_personal_number
from lienthong_services.identity.model import Account
from lienthong_services.identity.store import IdentityStore

_MAX_REASON_LENGTH = 500


class IdentityServicer(IdentityServiceServicer):
    """Answers the gateway."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def GetAccount(
        self, request: messages.GetAccountRequest, context: grpc.ServicerContext
    ) -> messages.GetAccountResponse:
        """Return an account."""
        account = self._store.account(check_personal_number(request.personal_number))
        return messages.GetAccountResponse(account=_message(account))

    def LockAccount(
        self, request: messages.LockAccountRequest, context: grpc.ServicerContext
    ) -> messages.LockAccountResponse:
        """Lock an account and end its sessions."""
        number, reason = check_personal_number(request.personal_number), _reason(request.reason)
        account = self._store.lock_account(number, reason, self._clock.now())
        return messages.LockAccountResponse(account=_message(account))

    def UnlockAccount(
        self, request: messages.UnlockAccountRequest, context: grpc.ServicerContext
    ) -> messages.UnlockAccountResponse:
        """Unlock an account."""
        number, reason = check_personal_number(request.personal_number), _reason(request.reason)
        account = self._store.unlock_account(number, reason, self._clock.now())
        return messages.UnlockAccountResponse(account=_message(account))


def _reason(text: str) -> str:
    if not text.strip():
        raise invalid("REASON_MISSING", "Say in `reason` why; it is kept with the account.")
    if len(text) > _MAX_REASON_LENGTH or not text.isprintable():
        raise invalid("REASON_INVALID", f"Say why in at most {_MAX_REASON_LENGTH} printable characters on one line.")
    return text


def _message(account: Account | None) -> messages.Account:
    if account is None:
        raise not_found("ACCOUNT_UNKNOWN", "The number has no e-identity account; register one first, or correct it.")
    return messages.Account(
        personal_number=account.personal_number,
        kind=messages.AccountKind.ValueType(account.kind),
        level=account.level,
        state=messages.AccountState.ValueType(account.state),
        state_changed_at=timestamp(account.state_changed_at),
    )
