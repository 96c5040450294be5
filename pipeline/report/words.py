"""What each reason means, in words for the person who looks at the picture that was refused."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, Mapping[str, str]] = {
    "scrape": {
        "duplicate": "the same bytes had come before",
        "surplus": "enough images had been accepted already",
        "robots_denied": "the site's robots.txt asks us to stay out",
        "robots_unreachable": "the site's robots.txt could not be read, so we stay out",
        "optout_header": "its server says: not for machine learning",
        "optout_meta": "its page says: not for machine learning",
        "ssrf_blocked": "an address that does not belong to the public web",
        "too_large": "more bytes than scrape.max_bytes",
        "too_slow": "took longer than scrape.deadline",
        "not_image": "what came back is no image",
        "unsupported": "an image format that we cannot read",
        "animated": "an animation, not a picture",
        "decode_failed": "the file is damaged or cut short",
        "bomb": "more pixels than scrape.max_pixels",
        "too_small": "the shorter side is below scrape.min_side",
        "http_4xx": "the server has it no more, or refuses it",
        "http_5xx": "the server failed",
        "network": "the connection failed",
        "quota": "the source's quota was used up",
        "license": "a licence outside scrape.licenses",
        "host_off": "its host failed too often in this run",
        "incomplete": "a picture that the item should have is missing",
        "excluded": "its text holds a word that the site file excludes",
        "bad_url": "not a web address",
    },
    "crop": {
        "no_face": "the detector found no face",
        "many_faces": "more than one face, and crop.faces is single",
        "not_largest": "another face in the picture is larger",
        "too_small": "the face is smaller than crop.min_face",
        "padding": "too much of the crop lies outside the picture (crop.max_padding)",
        "blurry": "less sharp than crop.min_sharpness",
        "too_dark": "darker than crop.brightness allows",
        "too_bright": "brighter than crop.brightness allows",
        "decode_failed": "the file is damaged or cut short",
        "bomb": "more pixels than scrape.max_pixels",
        "missing_file": "the file has gone from raw/images",
        "worker_died": "the decoder or the detector crashed on it",
        "no_model": "the detector's model file is not on this machine",
        "upscaled": "so few pixels that the crop would be enlarged beyond crop.max_upscale",
        "implausible": "the landmarks do not look like a face",
        "review": "a person took it out",
    },
    "dedup": {"duplicate": "a copy of a picture that is kept"},
    "pairs": {
        "duplicate": "the same article as another product's",
        "no_article": "no picture of the article alone arrived",
        "no_human": "no picture of a person wearing it arrived",
        "decode_failed": "one of the two files is damaged",
        "missing_file": "one of the two files has gone from raw/images",
        "worker_died": "the decoder crashed on it",
    },
}

STAGES: Mapping[str, str] = {
    "scrape": "while finding and downloading",
    "crop": "while detecting and cropping faces",
    "dedup": "as copies",
    "pairs": "while pairing",
}
