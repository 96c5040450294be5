"""What is stated about licences: codes, words and addresses, and what is none of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.sources import licenses


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (("https://creativecommons.org/licenses/by-sa/4.0/",), "cc-by-sa-4.0"),
        (("http://creativecommons.org/licenses/by-nc-nd/2.0/jp/deed.ja",), "cc-by-nc-nd-2.0"),
        (("https://creativecommons.org/publicdomain/zero/1.0/",), "cc0-1.0"),
        (("https://creativecommons.org/publicdomain/mark/1.0/",), "pdm-1.0"),
        (("CC BY-SA 3.0",), "cc-by-sa-3.0"),
        (("CC-BY-SA-3.0",), "cc-by-sa-3.0"),
        (("cc-by-sa-3.0",), "cc-by-sa-3.0"),
        (("CC BY",), "cc-by"),
        (("CC0",), "cc0-1.0"),
        (("Public domain",), "public-domain"),
        (("All rights reserved",), "all-rights-reserved"),
        ((None, "", "cc by 2.5"), "cc-by-2.5"),
        (("https://example.org/licence", "CC BY 4.0"), "cc-by-4.0"),
        (("CC BY-ND-SA 4.0",), "other"),
        (("https://creativecommons.org/licenses/by/9.9/",), "other"),
        (("byway of cc",), "other"),
        ((), "unknown"),
    ],
)
def test_licence_codes(texts: tuple[str | None, ...], code: str) -> None:
    assert licenses.code(*texts) == code


@pytest.mark.parametrize(
    ("code", "family"),
    [("cc-by-sa-4.0", "by-sa"), ("cc0-1.0", "cc0"), ("pdm-1.0", "pdm"), ("cc-by", "by"), ("unknown", "unknown")],
)
def test_licence_families(code: str, family: str) -> None:
    assert licenses.family(code) == family


@given(st.text(max_size=60))
def test_any_text_has_one_code_and_codes_are_stable(text: str) -> None:
    code = licenses.code(text)
    assert licenses.code(code) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Attribution-NonCommercial License", "cc-by-nc"),
        ("Attribution-ShareAlike License", "cc-by-sa"),
        ("United States Government Work", "us-gov"),
        ("No known copyright restrictions", "nkcr"),
        ("Creative Commons Attribution-No Derivative Works 2.0 License", "cc-by-nd-2.0"),
        ("Noncommercial, Attribution: Creative Commons", "cc-by-nc"),
        ("CC_BY_SA_2_5", "cc-by-sa-2.5"),
        ("ccbynd", "cc-by-nd"),
        ("CC-BY-4", "cc-by-4.0"),
        ("ＣＣ　ＢＹ－ＳＡ　４．０", "cc-by-sa-4.0"),
        ("cc by 2.1 jp", "cc-by-2.1"),
        ("表示-非営利 4.0 国際", "cc-by-nc-4.0"),
        ("クリエイティブ・コモンズ 表示 2.1 日本", "cc-by-2.1"),
        ("Creative Commons Namensnennung - Keine Bearbeitung 3.0", "cc-by-nd-3.0"),
        ("CC BY 4.0, for non-commercial use only", "cc-by-nc-4.0"),
        ("Cc-by-sa-4.0,3.0,2.5", "cc-by-sa-4.0"),
        ("GFDL-1.3", "gfdl"),
        ("GFDL or CC BY-SA 3.0", "cc-by-sa-3.0"),
        ("PD-Art", "public-domain"),
        ("Public Domain Dedication (CC0)", "cc0-1.0"),
        ("Pexels License", "pexels"),
        ("https://unsplash.com/license", "unsplash"),
        ("© 2019 A. Person", "all-rights-reserved"),
        ("CC BY 2.0, all rights reserved", "all-rights-reserved"),
    ],
)
def test_words_for_licences(text: str, code: str) -> None:
    assert licenses.code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        *("not CC BY", "this is not in the public domain", "Creative Commons", "editorial use only", "royalty-free"),
        *("by me", "Photo by Jane", "some rights reserved", "MIT", "https://shop.example/by-nc/terms", "7"),
    ],
)
def test_what_is_stated_and_not_understood_is_never_unknown(text: str) -> None:
    assert licenses.code(text) == licenses.OTHER


@pytest.mark.parametrize("text", ["", "  ", "-", "N/A", "none", "unknown", "license unknown", "null", "?"])
def test_what_says_nothing_is_unknown(text: str) -> None:
    assert licenses.code(text) == licenses.UNKNOWN


@pytest.mark.parametrize(("number", "code"), [("0", "all-rights-reserved"), ("2", "cc-by-nc-2.0"), ("99", "other")])
def test_flickr_counts_its_licences(number: str, code: str) -> None:
    assert licenses.code(number, flickr=True) == code


def test_what_can_be_stated_can_be_permitted() -> None:
    licenses.permitted(licenses.family(code) for code in ("cc-by-nc-nd-2.1", *licenses.PLAIN - {"unknown", "other"}))
    with pytest.raises(UsageError, match="there is no licence 'other'"):
        licenses.permitted(["other"])
