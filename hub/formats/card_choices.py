"""What forms offer for a card: licences, tasks, languages and libraries people name most."""

import re

from hub.formats import languages

# Each is in `licences.LICENCES`; what it asks for is told in `hub.web.card_template`.
LICENCES_OFFERED = (
    "apache-2.0", "mit", "bsd-3-clause", "mulanpsl-2.0", "gpl-3.0", "agpl-3.0", "cc0-1.0",
    "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "openrail", "other",
)  # fmt: skip

# The names that huggingface_hub cards use.
TASKS = (
    "text-generation", "text-classification", "token-classification", "question-answering",
    "table-question-answering", "zero-shot-classification", "translation", "summarization",
    "feature-extraction", "fill-mask", "sentence-similarity", "text-ranking", "text-to-image",
    "image-to-text", "image-text-to-text", "image-classification", "image-segmentation",
    "image-feature-extraction", "image-to-image", "object-detection", "depth-estimation",
    "mask-generation", "zero-shot-image-classification", "visual-question-answering",
    "document-question-answering", "video-classification", "text-to-video", "text-to-speech",
    "text-to-audio", "automatic-speech-recognition", "audio-classification", "audio-to-audio",
    "audio-text-to-text", "voice-activity-detection", "any-to-any", "reinforcement-learning",
    "robotics", "tabular-classification", "tabular-regression", "time-series-forecasting",
    "graph-ml", "multiple-choice", "text-retrieval", "text-to-3d", "image-to-3d",
    "image-to-video", "image-text-to-image", "image-text-to-video", "video-to-video",
    "video-text-to-text", "unconditional-image-generation", "keypoint-detection",
    "visual-document-retrieval", "table-to-text", "tabular-to-text", "other",
)  # fmt: skip

LANGUAGES = {
    "en": "English", "zh": "中文", "ar": "العربية", "bn": "বাংলা", "cs": "čeština", "da": "dansk",
    "de": "Deutsch", "el": "ελληνικά", "es": "español", "fa": "فارسی", "fi": "suomi",
    "fr": "français", "he": "עברית", "hi": "हिन्दी", "hu": "magyar", "id": "Bahasa Indonesia",
    "it": "italiano", "ja": "日本語", "ko": "한국어", "ms": "Bahasa Melayu", "nl": "Nederlands",
    "no": "norsk", "pl": "polski", "pt": "português", "ro": "română", "ru": "русский",
    "sv": "svenska", "sw": "Kiswahili", "ta": "தமிழ்", "th": "ไทย", "tr": "Türkçe",
    "uk": "українська", "ur": "اردو", "vi": "Tiếng Việt", "yue": "粵語", "code": "code",
    "multilingual": "multilingual",
}  # fmt: skip

# Enough of BCP 47 for what cards say: a code of ISO 639, then script, region or variant.
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(-[A-Za-z0-9]{1,8})*")


def is_language(text: str) -> bool:
    """Whether `text` may name a language in a card."""
    tag = _LANGUAGE.fullmatch(text)
    return text in LANGUAGES or (tag is not None and tag[1].lower() in languages.codes())


LIBRARIES = (
    "transformers", "sentence-transformers", "diffusers", "peft", "timm", "gguf", "onnx", "keras",
    "mlx", "open_clip", "sklearn", "spacy", "flair", "fasttext", "nemo", "espnet", "speechbrain",
    "stable-baselines3", "ultralytics",
)  # fmt: skip

SIZES = (
    "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "n>1B",
)  # fmt: skip
