"""What the identity provider decides, without asking anybody: passcodes, PKCE, what a citizen must still do."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from lienthong.api.consent.v1.consent_pb2 import ConsentRequest, ConsentRequestState
from lienthong.api.identity.v1.identity_pb2 import AccountState
from lienthong_core.errors import precondition

PASSCODE = "135790"
"""Passcode of every synthetic account. It protects nobody's data and the login page shows it."""
ACCOUNT_LEVELS = ("1", "2")
"""As `acr` says them."""
CODE_LIFETIME = timedelta(seconds=60)
TOKEN_LIFETIME = timedelta(minutes=15)
INTERACTION_LIFETIME = timedelta(minutes=10)
MOST_INTERACTIONS = 8
"""How many ways through the pages one browser has under way; the oldest goes when another begins."""
MOST_UNKNOWN_BROWSERS = 4096
"""How many browsers are remembered that nobody has logged in with; the oldest goes when another comes.

The newest one is not refused instead: then few requests a second would keep everybody out.
"""
SESSION_LIFETIME = timedelta(minutes=30)
"""As in the login that agencies see in the wild, whose tokens live half an hour."""
MAX_FAILURES = 5
LOGIN_LOCK = timedelta(minutes=15)
"""How long a number cannot log in after MAX_FAILURES wrong passcodes in a row; older ones do not count."""

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 4096, 8, 1
_HASH_BYTES = 32
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def hash_passcode(passcode: str, salt: bytes) -> str:
    """Return `scrypt$n$r$p$salt$hash` (base64), as accounts store it."""
    digest = _scrypt(passcode, salt, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", str(_SCRYPT_N), str(_SCRYPT_R), str(_SCRYPT_P), *encoded))


def check_passcode(passcode: str, stored: str) -> bool:
    """Say whether `passcode` is the one that `stored` was made from; raises ValueError if `stored` is no such text."""
    scheme, n, r, p, salt, digest = stored.split("$")
    if scheme != "scrypt":
        raise ValueError(f"passcodes are stored with scrypt, not with {scheme}")
    found = _scrypt(passcode, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(digest))


def decoy_passcode_hash() -> str:
    """Return a hash that no passcode has, so that an unknown number takes as long to refuse as a wrong passcode."""
    nothing = (base64.b64encode(bytes(length)).decode() for length in (16, _HASH_BYTES))
    return "$".join(("scrypt", str(_SCRYPT_N), str(_SCRYPT_R), str(_SCRYPT_P), *nothing))


def _scrypt(passcode: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(passcode.encode(), salt=salt, n=n, r=r, p=p, dklen=_HASH_BYTES)


def secret_digest(secret: str) -> str:
    """Return how a random secret (a session, a code, a client's secret) is stored: SHA-256, hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_secret(secret: str, digest: str) -> bool:
    """Say whether `digest` is that of `secret`, in a time that tells nothing."""
    return hmac.compare_digest(secret_digest(secret), digest)


def pkce_challenge(verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def check_verifier(verifier: str, challenge: str) -> bool:
    """Say whether `verifier` has the form that RFC 7636 asks for and belongs to `challenge`."""
    return bool(_VERIFIER.fullmatch(verifier)) and hmac.compare_digest(pkce_challenge(verifier), challenge)


def authentication_methods(level: int) -> list[str]:
    """Return the `amr` (RFC 8176) of a login with an account of `level`.

    Level 2 approves each login in the app on the registered device, for which the approval page stands.
    """
    return ["pwd"] if level == 1 else ["pwd", "swk", "mfa"]


def level_lacking(acr_values: str, level: int) -> int:
    """Return which account level a request asks for that an account of `level` has not got; 0 if it will do.

    What is no level is not heeded: the parameter is voluntary (OpenID Connect Core §3.1.2.1).
    """
    wanted = [int(value) for value in acr_values.split() if value in ACCOUNT_LEVELS]
    return min(wanted) if wanted and min(wanted) > level else 0


class Step(StrEnum):
    """What a citizen must do next before a client gets its code."""

    LOGIN = "login"
    APPROVE = "approve"
    CONSENT = "consent"
    DONE = "done"


def next_step(*, logged_in: bool, approved: bool, consent_open: bool) -> Step:
    """Return what is still to be done; the order is fixed."""
    if not logged_in:
        return Step.LOGIN
    if not approved:
        return Step.APPROVE
    return Step.CONSENT if consent_open else Step.DONE


def login_too_old(auth_time: int, max_age: int | None, now: int) -> bool:
    """Say whether a login at `auth_time` is older than a request's `max_age` allows (all in seconds)."""
    return max_age is not None and now - auth_time >= max_age


@dataclass(frozen=True)
class Problem:
    """Why something cannot be done: `error` for the client, a sentence in each language for the citizen."""

    error: str
    vietnamese: str
    english: str


def account_problem(state: int) -> Problem | None:
    """Return why the holder of an account in `state` cannot log in, or None if she can (NĐ 69/2024 Art. 15-16)."""
    if state == AccountState.ACCOUNT_STATE_ACTIVE:
        return None
    if state == AccountState.ACCOUNT_STATE_LOCKED:
        return Problem(
            "access_denied",
            "Tài khoản định danh điện tử này đang bị khóa. Hãy yêu cầu cơ quan quản lý mở khóa.",
            "This e-identity account is locked. Ask the authority that keeps it to unlock it.",
        )
    return Problem(
        "access_denied",
        "Tài khoản định danh điện tử này chưa được kích hoạt. Hãy kích hoạt trước khi đăng nhập.",
        "This e-identity account has not been activated. Activate it before logging in.",
    )


def check_unlockable(state_before_lock: int) -> None:
    """Refuse, with HOLDER_DECEASED, to unlock what was locked for good (NĐ 69/2024 Art. 15-16)."""
    if state_before_lock == AccountState.ACCOUNT_STATE_LOCKED:
        message = "The account was locked because its holder has died, and stays locked; check the number."
        raise precondition("HOLDER_DECEASED", message)


def consent_problem(request: ConsentRequest, *, consumer: str) -> Problem | None:
    """Return why nobody whom `consumer` sent here can answer a request for consent; None if somebody can."""
    if request.terms.consumer != consumer:
        return Problem(
            "invalid_authorization_details",
            "Yêu cầu đồng ý này thuộc về một hệ thống khác với ứng dụng đã chuyển bạn đến đây.",
            "This request for consent belongs to another system than the application that sent you here.",
        )
    if request.state != ConsentRequestState.CONSENT_REQUEST_STATE_PENDING:
        return closed_request_problem()
    return None


def other_citizen_problem() -> Problem:
    """Return the problem of a request for consent by a number that is neither hers now nor a represented child's."""
    return Problem(
        "access_denied",
        "Yêu cầu đồng ý này ghi số định danh khác với số của bạn. Chỉ người có dữ liệu, hoặc người đại diện của trẻ "
        "em, mới được trả lời. Nếu đó là số cũ của bạn, bên yêu cầu phải gửi yêu cầu mới theo số hiện tại.",
        "This request for consent names another personal number than yours. Only the person whose data it is may "
        "answer, or the legal representative of a child. If you had that number before, you must be asked anew by the "
        "one you have now.",
    )


def closed_request_problem() -> Problem:
    """Return the problem of a request for consent that nobody can answer any more."""
    return Problem(
        "invalid_authorization_details",
        "Yêu cầu đồng ý này không tồn tại, đã được trả lời hoặc đã hết hạn. Ứng dụng cần tạo yêu cầu mới.",
        "This request for consent does not exist, was answered or is over. The application must make a new one.",
    )


def period_text(seconds: int) -> tuple[str, str]:
    """Return a period in Vietnamese and English, in the largest unit that divides it."""
    units = (
        (86_400, "ngày", "day"),
        (3_600, "giờ", "hour"),
        (60, "phút", "minute"),
        (1, "giây", "second"),
    )
    size, vietnamese, english = next(unit for unit in units if seconds % unit[0] == 0)
    count = seconds // size
    return f"{count} {vietnamese}", f"{count} {english}{'' if count == 1 else 's'}"


def frequency_text(uses: int, per_seconds: int) -> tuple[str, str]:
    """Return how often a consent may be used, in Vietnamese and English."""
    if not uses:
        return "không giới hạn số lần", "any number of times"
    vietnamese, english = f"{uses} lần", "once" if uses == 1 else f"{uses} times"
    if not per_seconds:
        return vietnamese, english
    per = period_text(per_seconds)
    return f"{vietnamese} trong mỗi {per[0]}", f"{english} in each {per[1]}"


def retention_text(seconds: int) -> tuple[str, str]:
    """Return how long what was read may be kept, in Vietnamese and English."""
    return period_text(seconds) if seconds else ("đến khi đạt mục đích", "until the purpose is served")
