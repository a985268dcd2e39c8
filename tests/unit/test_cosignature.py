"""Witnesses' cosignatures, and what a witness does before it makes one."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from lienthong_gateway.log.checkpoint import EMPTY, ORIGIN, Checkpoint, CheckpointFault, CheckpointKey
from lienthong_gateway.log.cosignature import CosigningKey, WitnessKey, read_witness_keys
from lienthong_gateway.log.merkle import Tree, leaf_hash
from lienthong_gateway.log.proofs import Prover
from lienthong_gateway.log.witness import NotConsistent, Witness

NAME = "witness.test/w1"
KEY = CosigningKey(NAME, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
LOG = CheckpointKey.create()
TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXT = Checkpoint(3, bytes(32)).text()
LINE = KEY.sign(TEXT, TIME)
RAW = base64.b64decode(str(KEY.verifier).split("+", 2)[2])[1:]
LEAVES = [leaf_hash(bytes([number])) for number in range(20)]


def test_a_cosignature_opens_to_the_witness_and_the_time() -> None:
    opened = KEY.verifier.open(TEXT, LINE)
    assert (opened.witness, opened.time) == (NAME, TIME)


def test_a_cosignature_is_laid_out_as_specified() -> None:
    """C2SP tlog-cosignature: key hash, time as eight bytes, signature of a header, the time and the note's text."""
    name, blob = LINE.removeprefix("— ").split(" ")
    raw = base64.b64decode(blob)
    public = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
    assert name == NAME
    assert raw[:4] == hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]
    assert int.from_bytes(raw[4:12], "big") == int(TIME.timestamp())
    signed = f"cosignature/v1\ntime {int(TIME.timestamp())}\n{TEXT}".encode()
    Ed25519PublicKey.from_public_bytes(public).verify(raw[12:], signed)


def test_a_witness_key_is_read_as_it_was_written() -> None:
    assert str(WitnessKey.parse(f"{KEY.verifier}\n")) == str(KEY.verifier)
    assert WitnessKey.parse(str(KEY.verifier)).open(TEXT, LINE).witness == NAME


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        str(LOG.verifier),
        str(KEY.verifier).replace(NAME, "witness.test/w2"),
        str(KEY.verifier)[:-4],
        str(KEY.verifier).replace(NAME, "witness test"),
        f"+{KEY.verifier.hash.hex()}+AAAA",
        f"{NAME}+{KEY.verifier.hash.hex()}+{base64.b64encode(bytes([1]) + RAW).decode()}",
    ],
    ids=[
        "nothing",
        "no key",
        "a log's key",
        "another name",
        "too short",
        "a space in its name",
        "no name",
        "a log's kind",
    ],
)
def test_what_is_no_witness_key_is_refused(text: str) -> None:
    with pytest.raises(CheckpointFault):
        WitnessKey.parse(text)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"{KEY.verifier}\n{CosigningKey.create(NAME).verifier}\n".encode(), f"two keys of the name '{NAME}'"),
        (b"\xff\xfe", "not UTF-8"),
    ],
    ids=["two keys of one name", "no text"],
)
def test_a_file_of_witnesses_keys_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "witnesses").write_bytes(content)
    with pytest.raises(CheckpointFault, match=why):
        read_witness_keys(tmp_path / "witnesses")


def test_a_witnesss_key_is_never_written_over(tmp_path: Path) -> None:
    KEY.save(tmp_path / "key")
    with pytest.raises(FileExistsError):
        CosigningKey.create(NAME).save(tmp_path / "key")

    assert str(CosigningKey.load(NAME, tmp_path / "key").verifier) == str(KEY.verifier)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_a_witness_has_a_name_that_a_note_can_carry(name: str) -> None:
    with pytest.raises(CheckpointFault, match="no name of a witness"):
        CosigningKey.create(name)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TEXT.replace("\n3\n", "\n4\n"), LINE),
        (TEXT, CosigningKey.create(NAME).sign(TEXT, TIME)),
        (TEXT, LINE[:-8]),
        (TEXT, LINE.replace(NAME, "witness.test/w2")),
        (TEXT, LINE.removeprefix("— ")),
        (TEXT, f"— {NAME} {base64.b64encode(bytes(4) + base64.b64decode(LINE.split(' ')[2])[4:]).decode()}"),
        (TEXT, f"— {NAME} é"),
        (TEXT, ""),
    ],
    ids=["other checkpoint", "other key", "cut", "other name", "no dash", "other key hash", "no base64", "nothing"],
)
def test_another_cosignature_does_not_open(text: str, line: str) -> None:
    with pytest.raises(CheckpointFault):
        KEY.verifier.open(text, line)


@given(blob=st.binary(max_size=90))
def test_a_line_of_any_content_is_a_fault_and_nothing_else(blob: bytes) -> None:
    for content in (blob, KEY.verifier.hash + blob, KEY.verifier.hash + b"\xff" * 8 + (blob + bytes(64))[:64]):
        with pytest.raises(CheckpointFault):
            KEY.verifier.open(TEXT, f"— {NAME} {base64.b64encode(content).decode()}")


class OneTile:
    """The tile above some leaf hashes."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves

    def tile(self, level: int, index: int, width: int) -> bytes:
        assert (level, index) == (0, 0)
        return b"".join(self._leaves[:width])


def checkpoint(size: int, leaves: Sequence[bytes] = LEAVES) -> Checkpoint:
    return Checkpoint(size, Tree.of(leaves[:size]).root())


def proofs(first: int, second: int) -> Sequence[bytes]:
    return Prover(OneTile(LEAVES), second).consistency(first)


WITNESS = Witness(KEY, LOG.verifier)


@given(first=st.integers(0, 20), second=st.integers(0, 20))
def test_a_witness_cosigns_a_log_that_grew(first: int, second: int) -> None:
    first, second = sorted((first, second))
    seen = checkpoint(first) if first else EMPTY
    witnessed = WITNESS.witness(seen, LOG.sign(checkpoint(second)), proofs, TIME)
    assert witnessed.checkpoint == checkpoint(second)
    assert KEY.verifier.open(checkpoint(second).text(), witnessed.line).time == TIME


@given(first=st.integers(1, 20), second=st.integers(1, 20))
def test_a_witness_cosigns_no_other_history(first: int, second: int) -> None:
    other = [bytes(32), *LEAVES[1:]]
    with pytest.raises(NotConsistent) as caught:
        WITNESS.witness(checkpoint(first, other), LOG.sign(checkpoint(second)), proofs, TIME)
    assert (caught.value.seen, caught.value.shown) == (checkpoint(first, other), checkpoint(second))


def test_a_witness_cosigns_no_log_that_shrank() -> None:
    with pytest.raises(NotConsistent, match="had 7 entries and now shows a checkpoint of 6"):
        WITNESS.witness(checkpoint(7), LOG.sign(checkpoint(6)), proofs, TIME)


def test_a_witness_cosigns_no_more_than_origin_size_and_root() -> None:
    signer = Ed25519PrivateKey.generate()
    log = CheckpointKey(signer).verifier
    text = f"{checkpoint(3).text()}an extension\n"
    blob = base64.b64encode(log.hash + signer.sign(text.encode())).decode()
    with pytest.raises(CheckpointFault, match="extension lines"):
        Witness(KEY, log).witness(EMPTY, f"{text}\n— {ORIGIN} {blob}\n", proofs, TIME)


def test_a_witness_cosigns_nothing_that_the_log_did_not_sign() -> None:
    with pytest.raises(CheckpointFault, match="no valid signature"):
        WITNESS.witness(EMPTY, CheckpointKey.create().sign(checkpoint(3)), proofs, TIME)
