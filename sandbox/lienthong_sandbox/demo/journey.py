"""Steps 1 to 4: a citizen logs in, consents, has her form prefilled, and gets her new residence registered."""

import re
from collections.abc import Iterator
from datetime import timedelta

from lienthong.api.portal.v1 import portal_pb2 as pb
from lienthong_sandbox.browser import Page
from lienthong_sandbox.demo.place import Place
from lienthong_sandbox.demo.story import Happening, Step
from lienthong_sandbox.login import Citizen
from lienthong_seeds import members

HEROINE = "nguyen-thi-mai"
PORTAL, GATEWAY, PROVIDER = "portal", "gateway", "identity provider"
_PROCEDURE = members.PERMANENT_RESIDENCE.code
_SESSION_COOKIE = "__Host-portal-session"
_DEADLINE_S = 15.0
_VIETNAM = timedelta(hours=7)
_PATH_TO_RESULT = (
    pb.DossierState.DOSSIER_STATE_RECEIVED,
    pb.DossierState.DOSSIER_STATE_PROCESSING,
    pb.DossierState.DOSSIER_STATE_FINISHED,
    pb.DossierState.DOSSIER_STATE_RETURNED,
)


class Journey:
    """One citizen's way through the portal; each method is a step and needs the ones before it."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._citizen: Citizen = place.citizen(HEROINE)
        self._portal = place.portal_for_citizens()
        self._session: tuple[tuple[str, str], ...] = ()
        self._dossier = pb.Dossier()

    @property
    def session(self) -> tuple[tuple[str, str], ...]:
        """Metadata of a call on her behalf at the portal, once she is logged in."""
        return self._session

    def close(self) -> None:
        """Close her browser."""
        self._citizen.browser.close()

    def log_in(self) -> Step:
        """Step 1: she logs in at the portal with her e-identity account."""
        portal_url = self._place.endpoints.portal_url
        stop_at = f"{portal_url}/oidc/callback"
        redirect = self._citizen.answer(f"{portal_url}/login", stop_at=stop_at)
        landed = self._citizen.browser.visit(redirect.url, stop_at="never:")
        session = self._citizen.browser.cookie(_SESSION_COOKIE)
        self._session = (("authorization", f"Bearer {session}"),)
        return Step(
            1,
            "Đăng nhập",
            "Log in",
            "Nguyễn Thị Mai opens the portal, is sent to the identity provider (OpenID Connect, authorization code "
            "with PKCE), types number and passcode, approves, and comes back.",
            (
                Happening("citizen's browser", PORTAL, "open, be sent to the identity provider"),
                Happening("citizen's browser", PROVIDER, "log in, approve the login"),
                Happening(
                    PORTAL,
                    PROVIDER,
                    "exchange the code for an id_token and an access token",
                    outcome="OK" if landed.status == 200 and session else f"HTTP {landed.status}",  # noqa: PLR2004
                    note=_said_of_her(landed),
                ),
            ),
        )

    def consent(self) -> Step:
        """Step 2: she starts a dossier and consents to what prefilling it needs."""
        request = pb.StartDossierRequest(procedure_code=_PROCEDURE)
        started = self._portal.StartDossier(request, metadata=self._session, timeout=_DEADLINE_S)
        self._dossier = started.dossier
        # The provider sends her back to the portal, which shows the outcome there.
        callback = f"{self._place.endpoints.portal_url}/oidc/callback"
        redirect = self._citizen.answer(started.consent_url, stop_at=callback)
        landed = self._citizen.browser.visit(redirect.url, stop_at="never:")
        found = pb.GetDossierRequest(dossier=self._dossier.dossier_id)
        self._dossier = self._portal.GetDossier(found, metadata=self._session, timeout=_DEADLINE_S).dossier
        given = bool(self._dossier.consent_id)
        return Step(
            2,
            "Đồng ý chia sẻ dữ liệu",
            "Consent",
            f"She starts a dossier for procedure {_PROCEDURE} (đăng ký thường trú). The portal asks for consent to "
            "named datasets for that purpose; she reads the terms at the identity provider and approves; the provider "
            "signs her approval and the gateway stores it.",
            (
                Happening(PORTAL, GATEWAY, "ConsentService.RequestConsent"),
                Happening("citizen's browser", PROVIDER, "read the terms, approve"),
                Happening(
                    PROVIDER,
                    GATEWAY,
                    "ConsentService.RecordDecision, signed",
                    outcome="OK" if given else f"no consent (HTTP {landed.status})",
                    note=f"consent {self._dossier.consent_id}",
                ),
            ),
        )

    def prefill(self) -> Step:
        """Step 3: the portal reads what she consented to, and no more."""
        request = pb.PrefillDossierRequest(dossier_id=self._dossier.dossier_id)
        answer = self._portal.PrefillDossier(request, metadata=self._session, timeout=_DEADLINE_S)
        self._dossier = answer.dossier
        filled = [f"{field.label_vi}: {field.value}" for field in self._dossier.form if field.value]
        return Step(
            3,
            "Điền sẵn tờ khai",
            "Prefill the form",
            "The portal calls the population database's own methods at the gateway. What she consented to is released; "
            "everything else the database answered is withheld before the portal sees it.",
            (
                *(_exchanged(exchange) for exchange in answer.exchanges),
                Happening(PORTAL, "citizen", "form CT01, prefilled", note="\n".join(filled)),
            ),
        )

    def submit(self) -> Step:
        """Step 4: she submits, officers process, and the register learns her new residence."""
        values = {
            "new_province_code": "79",
            "new_commune_code": "25747",
            "new_address_detail": "12 đường Mô Phỏng",
            "from_date": (self._place.clock.now() + _VIETNAM).date().isoformat(),
            "request": "Đăng ký thường trú tại chỗ ở mới",
        }
        request = pb.SubmitDossierRequest(dossier_id=self._dossier.dossier_id, values=values)
        submitted = self._portal.SubmitDossier(request, metadata=self._session, timeout=_DEADLINE_S).dossier
        happenings = [
            Happening("citizen", PORTAL, "submit", note=f"dossier {submitted.code}, {submitted.state_name_vi}")
        ]
        happenings += self._processed(submitted.code)
        return Step(
            4,
            "Nộp hồ sơ, trả kết quả",
            "Submit, and get the result",
            "Officers move the dossier through the national list of states. The register is told her new residence "
            "through the gateway on the legal basis of a state body's own procedure (Law 91/2025 Art. 19(1)(c)), not "
            "on consent.",
            tuple(happenings),
        )

    def _processed(self, code: str) -> Iterator[Happening]:
        desk = self._place.portal_for_officers()
        for state in _PATH_TO_RESULT:
            request = pb.MoveDossierRequest(code=code, state=state)
            moved = desk.MoveDossier(request, metadata=(("x-road-userid", members.OFFICER),), timeout=_DEADLINE_S)
            yield Happening(f"officer {members.OFFICER}", PORTAL, f"move to “{moved.dossier.state_name_vi}”")
            yield from (_exchanged(exchange) for exchange in moved.exchanges)


def _said_of_her(page: Page) -> str:
    level = re.search(r"mức độ (\d)", page.html)
    return f"both signed ES256; account level {level.group(1)}" if level else "no account level came back"


def _exchanged(receipt: pb.ExchangeReceipt) -> Happening:
    return Happening(
        PORTAL,
        GATEWAY,
        receipt.method.rpartition(".")[2].replace("/", "."),
        released=tuple(receipt.datasets_released),
        withheld=tuple(receipt.datasets_withheld),
        log_index=receipt.log_index,
    )
