"""A whole engine, as a third party would write it."""

from engine_workers.engines.base import Engine, EngineInfo

class Shout(Engine):
    info = EngineInfo(name="shout", languages=("en",), devices=("cpu",))
    def load(self) -> None: ...
    def transcribe(self, audio): yield self.segment(0.0, audio.seconds, "HELLO")
