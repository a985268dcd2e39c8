"""Signed checkpoints: what is signed can be opened, and nothing else can."""

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lienthong_gateway.log import checkpoint as checkpoint_module
from lienthong_gateway.log.checkpoint import ORIGIN, Checkpoint, CheckpointFault, CheckpointKey, VerifierKey

KEY = CheckpointKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
CHECKPOINT = Checkpoint(17, hashlib.sha256(b"root").digest())
NOTE = KEY.sign(CHECKPOINT)

# The example of the C2SP signed-note specification.
SPECIFIED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SPECIFIED_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_signed_checkpoint_opens_to_what_was_signed() -> None:
    assert KEY.verifier.open(NOTE) == CHECKPOINT


def test_the_note_is_origin_size_and_root_then_the_signature() -> None:
    origin, size, root, empty, signature, end = NOTE.split("\n")

    assert (origin, size, empty, end) == (ORIGIN, "17", "", "")
    assert base64.b64decode(root) == CHECKPOINT.root
    assert signature.startswith(f"— {ORIGIN} ")
    assert base64.b64decode(signature.split(" ")[2])[:4] == KEY.verifier.hash


def test_the_verifier_key_is_written_and_read_as_name_hash_and_key() -> None:
    name, key_hash, key = str(KEY.verifier).split("+", 2)
    blob = base64.b64decode(key)

    assert name == ORIGIN
    assert blob == b"\x01" + KEY.verifier.raw
    assert key_hash == hashlib.sha256(ORIGIN.encode() + b"\n" + blob).hexdigest()[:8]
    assert VerifierKey.parse(str(KEY.verifier)).open(NOTE) == CHECKPOINT


def test_the_key_and_the_signature_of_the_specification_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_module, "ORIGIN", "PeterNeumann")
    key = VerifierKey.parse(SPECIFIED_KEY)

    with pytest.raises(CheckpointFault, match="not origin, size and root"):
        key.open(SPECIFIED_NOTE)
    with pytest.raises(CheckpointFault, match="no valid signature"):
        key.open(SPECIFIED_NOTE.replace("answer", "question"))


def test_a_checkpoint_of_another_key_is_not_opened() -> None:
    other = CheckpointKey.create()

    with pytest.raises(CheckpointFault, match="no valid signature"):
        other.verifier.open(NOTE)


@pytest.mark.parametrize(
    "altered",
    [
        NOTE.replace("\n17\n", "\n18\n"),
        NOTE.replace(base64.b64encode(CHECKPOINT.root).decode(), base64.b64encode(bytes(32)).decode()),
        NOTE.replace(ORIGIN, "other.test/log"),
        NOTE[:-9] + ("A" if NOTE[-9] != "A" else "B") + NOTE[-8:],
        NOTE.rstrip("\n")[:-4] + "\n",
        NOTE.split("\n\n")[0],
        NOTE.replace("\n\n", "\n"),
        "",
    ],
    ids=["size", "root", "origin", "signature", "signature cut", "signature left out", "no empty line", "nothing"],
)
def test_an_altered_checkpoint_is_not_opened(altered: str) -> None:
    assert altered != NOTE
    with pytest.raises(CheckpointFault):
        KEY.verifier.open(altered)


def test_a_signature_of_somebody_else_beside_the_own_one_does_no_harm() -> None:
    text, signatures = NOTE.split("\n\n")

    assert KEY.verifier.open(f"{text}\n\n— witness.test {'A' * 96}\n{signatures}") == CHECKPOINT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key at all",
        str(KEY.verifier).replace(ORIGIN, "other.test/log"),
        str(KEY.verifier).replace(f"+{KEY.verifier.hash.hex()}+", "+00000000+"),
        str(KEY.verifier)[:-4],
        f"{ORIGIN}+{KEY.verifier.hash.hex()}+é",
        f"{ORIGIN}+{KEY.verifier.hash.hex()}+{base64.b64encode(bytes([4]) + KEY.verifier.raw).decode()}",
    ],
    ids=["nothing", "no form", "other name", "other hash", "cut", "no base64", "a witness's kind"],
)
def test_what_is_no_verifier_key_of_this_log_is_refused(text: str) -> None:
    with pytest.raises(CheckpointFault, match="verifier key"):
        VerifierKey.parse(text)


def test_a_signature_of_an_earlier_key_beside_the_own_one_does_no_harm() -> None:
    text, signatures = NOTE.split("\n\n")
    earlier = CheckpointKey.create().sign(CHECKPOINT).split("\n\n")[1]

    assert KEY.verifier.open(f"{text}\n\n{earlier}{signatures}") == CHECKPOINT


def test_a_note_with_a_signature_of_the_key_that_does_not_hold_is_refused_whatever_follows() -> None:
    """C2SP signed-note: a signature of a known key that does not hold makes the note malformed."""
    text, signatures = NOTE.split("\n\n")
    wrong = KEY.sign(Checkpoint(18, CHECKPOINT.root)).split("\n\n")[1]

    with pytest.raises(CheckpointFault, match="no valid signature"):
        KEY.verifier.open(f"{text}\n\n{wrong}{signatures}")


@given(note=st.text())
def test_a_note_that_was_never_signed_is_a_fault_and_nothing_else(note: str) -> None:
    with pytest.raises(CheckpointFault):
        KEY.verifier.open(note)


@given(position=st.integers(0, len(NOTE)), replaced=st.integers(0, 3), inserted=st.text(max_size=3))
def test_a_note_changed_anywhere_is_a_fault_or_says_the_same(position: int, replaced: int, inserted: str) -> None:
    changed = NOTE[:position] + inserted + NOTE[position + replaced :]
    try:
        opened = KEY.verifier.open(changed)
    except CheckpointFault:
        return
    assert opened == CHECKPOINT


@given(blob=st.text(max_size=120))
def test_a_signature_line_of_any_content_is_a_fault_and_nothing_else(blob: str) -> None:
    with pytest.raises(CheckpointFault):
        KEY.verifier.open(f"{CHECKPOINT.text()}\n— {ORIGIN} {blob}\n")


def signed(text: str) -> str:
    """Return a note with any text, signed with the log's key."""
    signer = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signature = base64.b64encode(KEY.verifier.hash + signer.sign(text.encode())).decode()
    return f"{text}\n— {ORIGIN} {signature}\n"


@given(body=st.text(max_size=80))
def test_a_signed_note_that_is_no_checkpoint_is_a_fault(body: str) -> None:
    text = f"{ORIGIN}\n{body}\n".encode(errors="replace").decode()

    with pytest.raises(CheckpointFault):
        KEY.verifier.open(signed(text))


@pytest.mark.parametrize(
    "text",
    [
        CHECKPOINT.text().replace(ORIGIN, "other.test/log"),
        CHECKPOINT.text().replace("\n17\n", "\n017\n"),
        CHECKPOINT.text().replace("\n17\n", "\n+17\n"),
        Checkpoint(17, CHECKPOINT.root[1:]).text(),
    ],
    ids=["another log's", "a zero before its size", "a sign before its size", "a root that is too short"],
)
def test_a_checkpoint_that_is_signed_but_not_as_this_log_writes_it_is_a_fault(text: str) -> None:
    with pytest.raises(CheckpointFault, match="not one of"):
        KEY.verifier.open(signed(text))


def test_a_key_survives_being_saved_and_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "checkpoint.key"

    KEY.save(file)

    assert CheckpointKey.load(file).verifier.open(NOTE) == CHECKPOINT
    assert file.stat().st_mode & 0o077 == 0
