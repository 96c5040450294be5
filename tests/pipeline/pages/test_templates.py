"""Text of strangers on a page: escaped, visible, and led nowhere that a browser should not go."""

from __future__ import annotations

import pytest

from curate.pipeline.pages import templates

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202egnp.exe\x00\ud800 & ロング"
SHOWN = r"&lt;script&gt;alert(1)&lt;/script&gt;\x1b[2J\u202egnp.exe\x00\ud800 &amp; ロング"


def test_a_page_shows_what_strangers_wrote_and_runs_nothing() -> None:
    page = templates.render("sheet.html", {"heading": HOSTILE, "lead": HOSTILE, "footer": HOSTILE, "shown": []})
    assert page.count(SHOWN) == 4
    assert not set("\x1b\u202e\x00\ud800") & set(page)
    assert "<script>" not in page


def test_text_beside_a_template_is_as_safe() -> None:
    assert templates.text(HOSTILE) == SHOWN
    assert templates.link("https://a.example/?a=\"&b='", HOSTILE) == (
        f'<a href="https://a.example/?a=&#34;&amp;b=&#39;">{SHOWN}</a>'
    )


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", " data:text/html,x", "/here", "http://[bad", "x" * 9])
def test_what_is_no_web_address_leads_nowhere(url: str | None) -> None:
    assert templates.web_address(url) is None
    assert templates.link(url, "<b>") == "&lt;b&gt;"
