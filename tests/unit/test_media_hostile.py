"""Hostile files are refused with one clear error, or heard; nothing else is ever opened."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine_workers.errors import BadMediaError
from engine_workers.media.decode import Decoded, decode
from tests.unit.media_files import encoded, tone, video, wav

LONGEST = 60.0
GOOD = wav(tone(2.0))
FLOATS = {"bits": 32, "encoding": 3}


def floats(value: float) -> bytes:
    """Return two seconds of samples with one of them as told."""
    samples = np.zeros(32_000, "<f4")
    samples[20_000] = value
    return samples.tobytes()


#: Files that are no recordings. `NEIGHBOUR` stands for the path of a recording beside them.
REFUSED: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"R",
    "header only": GOOD[:44],
    "text": b"these are notes, no sound\n" * 50,
    "zeros": bytes(50_000),
    "noise": random.Random(1).randbytes(50_000),
    "ffconcat": b"ffconcat version 1.0\nfile 'NEIGHBOUR'\n",
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nNEIGHBOUR\n#EXT-X-ENDLIST\n",
    "m3u8 of http": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    "mpd": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
    b"<AdaptationSet><Representation><BaseURL>NEIGHBOUR</BaseURL></Representation>"
    b"</AdaptationSet></Period></MPD>",
    "no channels": wav(tone(2.0), channels=0, align=2),
    "255 channels": wav(tone(2.0), channels=255),
    "0 Hz": wav(tone(2.0), rate=0),
    "1 Hz": wav(tone(2.0), rate=1),
    "4 GHz": wav(tone(2.0), rate=0xFFFFFFFF),
    "no bits": wav(tone(2.0), bits=0),
    "not a number": wav(floats(float("nan")), **FLOATS),
    "infinite": wav(floats(float("inf")), **FLOATS),
    "absurdly loud": wav(floats(1e30), **FLOATS),
    "film without sound": video(),
}
#: Odd files that do hold sound: their seconds.
HEARD: dict[str, tuple[bytes, float]] = {
    "unknown size": (wav(tone(2.0), size=0xFFFFFFFF), 2.0),
    "size 0": (wav(tone(2.0), size=0), 2.0),
    "no block align": (wav(tone(2.0), align=0), 2.0),
    "768 kHz": (wav(tone(2.0, 768_000), rate=768_000), 2.0),
    "8 channels": (wav(tone(8.0), channels=8), 1.0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    neighbour = tmp_path / "neighbour.wav"
    neighbour.write_bytes(GOOD)
    for suffix, target in (("mp3", str(neighbour)), ("wav", neighbour.name)):
        path = tmp_path / f"attack.{suffix}"
        path.write_bytes(REFUSED[name].replace(b"NEIGHBOUR", target.encode()))
        with pytest.raises(BadMediaError) as caught:
            decode(path, LONGEST)
        assert 10 < len(str(caught.value)) < 200
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", HEARD)
def test_it_is_heard(tmp_path: Path, name: str) -> None:
    content, seconds = HEARD[name]
    (tmp_path / "odd").write_bytes(content)
    assert decode(tmp_path / "odd", LONGEST).info.seconds == pytest.approx(seconds, abs=0.05)


def attempt(path: Path, content: bytes) -> Decoded | BadMediaError:
    """Decode, or return the one error that may be raised."""
    path.write_bytes(content)
    try:
        return decode(path, LONGEST)
    except BadMediaError as error:
        return error


@pytest.mark.parametrize(
    "make",
    [
        lambda: GOOD,
        lambda: encoded("flac", "flac", 1.0),
        lambda: encoded("mp3", "libmp3lame", 1.0),
        lambda: encoded("ogg", "libopus", 1.0),
        lambda: encoded("mp4", "aac", 1.0),
        lambda: encoded("webm", "libopus", 1.0),
        lambda: encoded("mpegts", "aac", 1.0),
        lambda: encoded("avi", "pcm_s16le", 1.0),
    ],
    ids=["wav", "flac", "mp3", "ogg", "mp4", "webm", "mpegts", "avi"],
)
def test_damage_is_survived_or_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    content = make()
    path = tmp_path / "damaged"
    for part in range(64):
        outcome = attempt(path, content[: len(content) * part // 64])
        if isinstance(outcome, Decoded):
            assert outcome.info.seconds <= 2.2
    chance = random.Random(7)
    for _ in range(48):
        flipped = bytearray(content)
        for _ in range(20):
            flipped[chance.randrange(len(flipped))] ^= chance.randrange(1, 256)
        outcome = attempt(path, bytes(flipped))
        if isinstance(outcome, Decoded):
            assert np.isfinite(outcome.samples).all()
