"""In which language a text is. It is a guess by statistics, so that only a confident one counts, of enough text."""

from __future__ import annotations

import threading

from langdetect import LangDetectException, detector_factory

FEWEST_LETTERS = 40
MOST_CHARACTERS = 20_000
CONFIDENT = 0.8

# Its parts are loaded and used by one at a time; the seed makes the same guess of the same text every time.
_LOCK = threading.Lock()
_SEED = 0


def known_languages() -> tuple[str, ...]:
    """Their codes, as ISO 639-1 has them, in order: "de", "en", "es"."""
    return tuple(sorted({code.partition("-")[0] for code in _factory().get_lang_list()}))


def language_of(text: str) -> str | None:
    """The code of the language that the text is surely in; None for too little text, or one that is not clear."""
    shown = text[:MOST_CHARACTERS]
    if sum(map(str.isalpha, shown)) < FEWEST_LETTERS:
        return None
    with _LOCK:
        detector = _factory().create()
        detector.seed = _SEED
        detector.append(shown)
        try:
            best = detector.get_probabilities()
        except LangDetectException:
            return None
    code = best[0].lang.partition("-")[0] if best else None
    return code if best and best[0].prob >= CONFIDENT else None


def _factory() -> detector_factory.DetectorFactory:
    detector_factory.init_factory()
    return detector_factory._factory
