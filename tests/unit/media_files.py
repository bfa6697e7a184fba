"""Makes recordings, good and hostile, for tests."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
from av.audio.resampler import AudioResampler

#: Hertz of the sample rate and of the tone.
RATE, PITCH = 16_000, 440


def tone(seconds: float, rate: int = RATE) -> bytes:
    """Return a tone as 16-bit samples."""
    times = np.arange(int(seconds * rate)) / rate
    return bytes((np.sin(2 * np.pi * PITCH * times) * 8000).astype("<i2").tobytes())


def wav(  # noqa: PLR0913  # each figure of the header can be made to lie
    data: bytes,
    *,
    channels: int = 1,
    rate: int = RATE,
    bits: int = 16,
    encoding: int = 1,
    size: int | None = None,
    align: int | None = None,
) -> bytes:
    """Return a WAV file, its header as told; `encoding` 1 is integers, 3 floats."""
    stated = len(data) if size is None else size
    whole = 0xFFFFFFFF if size == 0xFFFFFFFF else 36 + stated
    block = channels * bits // 8 if align is None else align
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", whole, b"WAVE", b"fmt ", 16, encoding, channels, rate),
        *((rate * block) & 0xFFFFFFFF, block, bits, b"data", stated),
    )
    return header + data


def encoded(container: str, codec: str, seconds: float = 2.0, rate: int = 48_000) -> bytes:
    """Return a stereo tone in a container's format."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "stereo"
        mono = np.frombuffer(tone(seconds, rate), dtype="<i2")
        frame = av.AudioFrame.from_ndarray(np.repeat(mono, 2)[None], "s16", "stereo")
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 1024
        resampler = AudioResampler(stream.format, stream.layout, rate, frame_size=size)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def video() -> bytes:
    """Return a short film without sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return file.getvalue()


def many_streams(count: int, seconds: float = 1.0) -> bytes:
    """Return a film's sound in so many languages."""
    file = io.BytesIO()
    samples = np.frombuffer(tone(seconds), dtype="<i2")
    with av.open(file, "w", format="matroska") as output:
        streams = [output.add_stream("pcm_s16le", rate=RATE) for _ in range(count)]
        for stream in streams:
            assert isinstance(stream, av.AudioStream)
            stream.layout = "mono"
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            frame.sample_rate = RATE
            output.mux(stream.encode(frame))
    return file.getvalue()


def silence(container: str, codec: str, seconds: float, rate: int = RATE) -> bytes:
    """Return silence of any length, made without holding it in memory."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        size = stream.codec_context.frame_size or 4096
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, size), np.dtype("i2")), stream.format.name, "mono"
        )
        frame.sample_rate = rate
        for number in range(int(seconds * rate / size)):
            frame.pts = number * size
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
