"""Makes recordings of many hours in seconds."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import av
import numpy as np

from coordinator.sample import sample_recording
from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.media.decode import decode

#: Seconds that are encoded once: the rest of an MP3 is the same frames again.
ENCODED_SECONDS = 60
#: Hertz of the MP3 and of the silence: what podcasts have, what Opus has.
MP3_RATE, OPUS_RATE = 44_100, 48_000
#: Seconds of Opus that are encoded once: links of a chain repeat it.
OPUS_SECONDS = 3600


def speech(seconds: float) -> np.ndarray:
    """Return the sample recording over and over, mono at 16 kHz."""
    once = decode(sample_recording(), 600.0).samples
    return np.resize(once, int(seconds * SAMPLE_RATE))


def long_mp3(path: Path, seconds: float) -> None:
    """Write speech in stereo at 128 kbit/s, as long as told."""
    block = io.BytesIO()
    mono = np.repeat(speech(ENCODED_SECONDS), 3)[: ENCODED_SECONDS * MP3_RATE]
    pcm = (mono * 30_000).astype("<i2")
    with av.open(block, "w", format="mp3", options={"write_xing": "0"}) as output:
        stream = output.add_stream("libmp3lame", rate=MP3_RATE, bit_rate=128_000)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "stereo"
        fifo = av.AudioFifo()
        for start in range(0, len(pcm), MP3_RATE):
            both = np.repeat(pcm[start : start + MP3_RATE], 2)[None]
            frame = av.AudioFrame.from_ndarray(both, "s16", "stereo")
            frame.sample_rate = MP3_RATE
            fifo.write(frame)
            for piece in fifo.read_many(stream.codec_context.frame_size or 1152):
                output.mux(stream.encode(_planar(piece)))
        output.mux(stream.encode(None))
    with path.open("wb") as file:
        for _ in range(round(seconds / ENCODED_SECONDS)):
            file.write(block.getvalue())


def _planar(frame: av.AudioFrame) -> av.AudioFrame:
    planes = np.ascontiguousarray(frame.to_ndarray().reshape(-1, 2).T, np.int16)
    made = av.AudioFrame.from_ndarray(planes, "s16p", "stereo")
    made.sample_rate = frame.sample_rate
    return made


def silent_flac(path: Path, seconds: float) -> None:
    """Write digital silence, which takes next to nothing."""
    with av.open(str(path), "w", format="flac") as output:
        stream = output.add_stream("flac", rate=SAMPLE_RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        stream.format = "s16"
        stream.codec_context.open()
        size = stream.codec_context.frame_size
        frame = av.AudioFrame.from_ndarray(np.zeros((1, size), np.int16), "s16", "mono")
        frame.sample_rate = SAMPLE_RATE
        for number in range(int(seconds * SAMPLE_RATE / size)):
            frame.pts = number * size
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def silent_opus(path: Path, seconds: float) -> None:
    """Write silence as a chain of equal links."""
    block = io.BytesIO()
    with av.open(block, "w", format="ogg") as output:
        stream = output.add_stream("libopus", rate=OPUS_RATE, bit_rate=6000)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        stream.codec_context.options = {"frame_duration": "60"}
        stream.codec_context.open()
        size = stream.codec_context.frame_size
        frame = av.AudioFrame.from_ndarray(np.zeros((1, size), np.int16), "s16", "mono")
        frame.sample_rate = OPUS_RATE
        for number in range(int(OPUS_SECONDS * OPUS_RATE / size)):
            frame.pts = number * size
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with path.open("wb") as file:
        for _ in range(round(seconds / OPUS_SECONDS)):
            file.write(block.getvalue())


def write_speech(path: Path, seconds: float) -> None:
    """Write speech as WAV, mono at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((speech(seconds) * 32_767).astype("<i2").tobytes())
