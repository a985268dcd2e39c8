"""A clock that is set back: the log goes on, and nothing is allowed that the new time does not allow."""

from datetime import datetime, timedelta

from lienthong.api.consent.v1.consent_pb2 import RevokeConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import CallContext
from lienthong_gateway.log.verify import verify_log
from lienthong_gateway.server import GatewayServer
from lienthong_seeds import members
from tests.support.attacks import assert_refused, show
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld

DAY = timedelta(days=1)


def times(world: GatewayWorld) -> list[datetime]:
    return [datetime.fromisoformat(entry["time"]) for entry in world.entries()]


def test_entries_go_on_in_their_order_with_the_time_that_the_clock_tells(world: GatewayWorld) -> None:
    world.consent(valid_for=30 * DAY)
    _, before = world.read()
    world.clock.advance(-DAY)
    world.consent(valid_for=30 * DAY)
    _, after = world.read()

    told = times(world)
    assert after.log_index > before.log_index
    assert told[after.log_index] < told[before.log_index]
    assert abs(told[after.log_index] - world.clock.now()) < timedelta(minutes=5)


def test_checkpoints_grow_and_the_log_verifies_over_the_step_back(world: GatewayWorld) -> None:
    world.consent(valid_for=30 * DAY)
    world.read()
    world.clock.advance(-DAY)
    world.consent(valid_for=30 * DAY)
    _, after = world.read()

    assert isinstance(world.gateway, GatewayServer)
    verification = verify_log(world.gateway.engine, world.config.checkpoint_key.verifier)
    assert verification.fault is None
    assert verification.size == after.log_index + 1


def test_a_token_of_the_later_time_is_not_valid_yet(world: GatewayWorld) -> None:
    world.consent(valid_for=30 * DAY)
    token = world.token()
    world.get_citizen(CallContext(PURPOSE, token))
    world.clock.advance(-DAY)

    assert_refused(world, lambda world: show(world, token), "TOKEN_EXPIRED")


def test_a_consent_that_was_over_is_not_in_force_again_before_it_was_given(world: GatewayWorld) -> None:
    world.consent(valid_for=timedelta(hours=1))
    world.clock.advance(-DAY)

    assert_refused(world, GatewayWorld.read, "CONSENT_EXPIRED")


def test_a_revoked_consent_stays_revoked(world: GatewayWorld) -> None:
    consent = world.consent(valid_for=30 * DAY)
    request = RevokeConsentRequest(consent_id=consent.consent_id)
    ConsentServiceStub(world.channel(members.PORTAL)).RevokeConsent(request, timeout=TIMEOUT_S)
    world.clock.advance(-timedelta(seconds=30))

    assert_refused(world, GatewayWorld.read, "CONSENT_REVOKED")
