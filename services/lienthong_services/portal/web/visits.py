"""A citizen's way from the portal to the identity provider and back."""

import secrets
from dataclasses import dataclass

from lienthong_core.clock import Clock
from lienthong_core.errors import Refusal, denied, invalid
from lienthong_services.portal.desk import DossierDesk
from lienthong_services.portal.model import CitizenSession, LoginAttempt
from lienthong_services.portal.oidc import Attempt, LoggedIn, OidcClient, login_refused
from lienthong_services.portal.rules import LOGIN_LIFETIME, SESSION_LIFETIME, check_session
from lienthong_services.portal.store import PortalStore, digest

_SECRET_BYTES = 32
_ACCESS_DENIED = "access_denied"


@dataclass(frozen=True)
class Leaving:
    """Where the browser goes, and the cookie that ties the way back to it: the one it has, of whichever tab."""

    url: str
    browser: str


@dataclass(frozen=True)
class Arrival:
    """She is back. `session_token` is new after a login, and empty after giving consent in a session she has."""

    session_token: str
    dossier_id: str


class Visits:
    """Logins and consents under way."""

    def __init__(self, store: PortalStore, desk: DossierDesk, oidc: OidcClient, clock: Clock) -> None:
        self._store = store
        self._desk = desk
        self._oidc = oidc
        self._clock = clock

    @property
    def issuer(self) -> str:
        """The identity provider's address, to which a citizen is sent."""
        return self._oidc.issuer

    def current(self, session_token: str) -> CitizenSession:
        """Return the session that a cookie stands for; refused: SESSION_INVALID, SESSION_EXPIRED."""
        found = self._store.session(digest(session_token)) if session_token else None
        return check_session(found, self._clock.now())

    def log_out(self, session_token: str) -> str:
        """End a session, and return where the one at the identity provider is ended."""
        found = self._store.session(digest(session_token))
        self.end(session_token)
        return self._oidc.logout_url(found.id_token if found else "")

    def end(self, session_token: str) -> None:
        """End a session here; one that is none already stays none."""
        self._store.end_session(digest(session_token))

    def to_login(self, browser: str) -> Leaving:
        """Send a citizen to log in; `browser` is the cookie of an earlier way, if there is one."""
        return self._leave(browser, "", "", ())

    def to_consent(self, session_token: str, browser: str, dossier_id: str) -> Leaving | Arrival:
        """Send a citizen to answer what a draft's prefilling asks; she has arrived if the consent is given already.

        `browser` as for `to_login`. Refused: as `current` and as `DossierDesk.consent_to_ask`.
        """
        session = self.current(session_token)
        request_id = self._desk.consent_to_ask(session, dossier_id)
        if not request_id:
            return Arrival("", dossier_id)
        details = ({"type": "lienthong_consent", "consent_request_id": request_id},)
        return self._leave(browser, dossier_id, digest(session_token), details)

    def arrive(self, state: str, browser: str, code: str, error: str) -> Arrival:
        """Take a citizen back.

        Refused: LOGIN_UNKNOWN (no such way was begun in this browser, or it is over or used), LOGIN_DENIED or
        CONSENT_DENIED (she said no), LOGIN_REFUSED (the provider did), CITIZEN_MISMATCH (somebody else came back), and
        as `OidcClient.exchange`.
        """
        attempt = self._store.take_login(state, browser, self._clock.now()) if state and browser else None
        if attempt is None:
            message = "This login was not begun in this browser, is over, or was used already; begin again at /login."
            raise invalid("LOGIN_UNKNOWN", message)
        if error == _ACCESS_DENIED:
            raise _consent_denied() if attempt.dossier_id else denied("LOGIN_DENIED", "You did not approve the login.")
        if error or not code:
            raise login_refused()
        who = self._oidc.exchange(code, Attempt(state, attempt.nonce, attempt.code_verifier))
        if not attempt.dossier_id:
            token = secrets.token_urlsafe(_SECRET_BYTES)
            self._keep(who, digest(token))
            return Arrival(token, "")
        return self._consented(who, attempt)

    def arrived(self, session_token: str, dossier_id: str) -> CitizenSession:
        """Return the session of a citizen who is back: from logging in, or from consenting for a dossier.

        The dossier may be another's, whom she represents. Refused: as `current`, and CONSENT_DENIED.
        """
        session = self.current(session_token)
        if dossier_id and not self._desk.is_consented(dossier_id):
            raise _consent_denied()
        return session

    def _consented(self, who: LoggedIn, attempt: LoginAttempt) -> Arrival:
        session = check_session(self._store.session(attempt.session_sha256), self._clock.now())
        dossier = self._store.dossier(attempt.dossier_id)
        if dossier is None or who.subject != session.subject:
            message = "Another citizen came back than the one who left; log out at the identity provider and try again."
            raise denied("CITIZEN_MISMATCH", message)
        consent_id = who.consents.get(dossier.row.consent_request_id, "")
        if not consent_id:
            raise _consent_denied()
        self._store.change_draft(attempt.dossier_id, consent_id=consent_id)
        self._keep(who, attempt.session_sha256)
        return Arrival("", attempt.dossier_id)

    def _leave(
        self, browser: str, dossier_id: str, session_sha256: str, details: tuple[dict[str, str], ...]
    ) -> Leaving:
        now = self._clock.now()
        attempt = Attempt.create()
        browser = browser or secrets.token_urlsafe(_SECRET_BYTES)
        kept = LoginAttempt(
            state_sha256=digest(attempt.state),
            browser_sha256=digest(browser),
            nonce=attempt.nonce,
            code_verifier=attempt.code_verifier,
            expires_at=now + LOGIN_LIFETIME,
            dossier_id=dossier_id,
            session_sha256=session_sha256,
        )
        self._store.begin_login(kept, now)
        return Leaving(self._oidc.authorization_url(attempt, details), browser)

    def _keep(self, who: LoggedIn, token_sha256: str) -> None:
        now = self._clock.now()
        session = CitizenSession(
            token_sha256=token_sha256,
            personal_number=who.personal_number,
            subject=who.subject,
            full_name=who.full_name,
            account_level=who.account_level,
            id_token=who.id_token,
            access_token=who.access_token,
            access_token_expires_at=who.access_token_expires_at,
            expires_at=now + SESSION_LIFETIME,
        )
        self._store.open_session(session, now)


def _consent_denied() -> Refusal:
    message = (
        "There is no consent, so nothing was shared: you said no, it is not yours to give, or a child and her "
        "representative have not both approved yet; each opens this address. The dossier is still a draft; its form "
        "can be filled in by hand."
    )
    return denied("CONSENT_DENIED", message)
