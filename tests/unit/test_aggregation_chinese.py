"""Chinese is compared by what was said, whatever script and numerals it is written in."""

from __future__ import annotations

import subprocess
import sys
from uuid import UUID

import pytest

from aggregation.collect import collect
from aggregation.language import Rule
from aggregation.normalise import normalise
from aggregation.pipeline import Question, make_report
from aggregation.stitch import Part
from schemas.report import Report
from schemas.transcript import Segment, Transcript


def heard(engine: str, text: str, language: str | None = "zh") -> Transcript:
    return Transcript(
        engine=engine,
        engine_version="1",
        model="m",
        language=language,
        audio_seconds=10.0,
        segments=(Segment(text=text),),
    )


def norms(text: str) -> list[str]:
    return normalise(collect([Part(heard("a", text))]), Rule.CHINESE).norms


def report_of(*texts: str, language: str | None = "zh") -> Report:
    parts = {str(i): [Part(heard(str(i), text, language))] for i, text in enumerate(texts)}
    return make_report(Question(UUID(int=0), parts))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("兩千零五年", "2005年"),
        ("百分之三十五", "35%"),
        ("二十五个人", "25個人"),
        ("一共三百二十万", "一共3200000"),
        ("五点三", "5.3"),
        ("二零二三年", "２０２３年"),
        ("學校裡面", "学校里面"),
        ("我們，今天。", "我们今天"),
        ("iPhone十五", "IPHONE 15"),
    ],
)
def test_variants_of_writing_are_the_same(one: str, other: str) -> None:
    assert norms(one) == norms(other)


def test_numerals_that_are_no_numbers_stay_words() -> None:
    assert "点" in norms("一点也不")
    assert norms("千万别") == ["千", "万", "别"]


def test_a_token_is_a_character_while_latin_runs_stay_whole() -> None:
    assert norms("我用ChatGPT写code") == ["我", "用", "chatgpt", "写", "code"]


def test_the_merge_of_scripts_keeps_one_engines_writing() -> None:
    report = report_of("我們今天去學校。", "我们今天去学校。", "我们今天去学笑。")
    assert report.merged.text in {"我們今天去學校。", "我们今天去学校。"}
    assert report.comparison.pairs[0].similarity == 1


def test_homophones_are_told_from_other_words() -> None:
    report = report_of("他在这里工作", "她在这里工作", "他在这里工作")
    assert [d.kind.value for d in report.comparison.differences] == ["homophone"]


def test_the_script_decides_where_nobody_says_the_language() -> None:
    report = report_of("我们今天去学校", "我们今天去学校", language=None)
    assert report.language == "zh"
    assert report.language_reason


def test_english_never_loads_chinese_libraries() -> None:
    code = (
        "import sys\n"
        "from uuid import UUID\n"
        "from aggregation.pipeline import Question, make_report\n"
        "from aggregation.stitch import Part\n"
        "from schemas.transcript import Segment, Transcript\n"
        "t = [Transcript(engine=e, engine_version='', model='', language='en', audio_seconds=1.0,"
        " segments=(Segment(text=x),)) for e, x in (('a', 'hello world'), ('b', 'hello word'))]\n"
        "make_report(Question(UUID(int=0), {x.engine: [Part(x)] for x in t}))\n"
        "print([m for m in ('opencc', 'cn2an', 'pypinyin') if m in sys.modules])\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert out.strip() == "[]"
