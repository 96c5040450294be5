"""Words for colours, as shops write them in titles, texts of pictures and names of files."""

from __future__ import annotations

import re

from curate.pipeline.tables.folding import folded

# colour: its names; a name in Latin letters counts as a whole word, one in kana anywhere, a single kanji on its own
_NAMES = {
    "black": "black schwarz noir noire negro nero ブラック 黒",
    "white": "white weiss weiß blanc blanche blanco bianco offwhite ホワイト オフホワイト 白",
    "grey": "grey gray grau gris grigio charcoal グレー グレイ チャコール 灰 灰色",
    "silver": "silver silber シルバー 銀",
    "gold": "gold golden ゴールド 金色",
    "red": "red rot rouge rojo rosso crimson scarlet レッド 赤 朱",
    "wine": "wine burgundy bordeaux maroon ワイン ワインレッド ボルドー バーガンディ",
    "pink": "pink rosa rose fuchsia magenta ピンク ローズ フューシャ マゼンタ 桃色",
    "coral": "coral koralle コーラル サーモン",
    "orange": "orange naranja arancione オレンジ 橙",
    "yellow": "yellow gelb jaune amarillo giallo mustard lemon イエロー マスタード レモン 黄 黄色",
    "beige": "beige cream ivory ecru sand nude ベージュ クリーム アイボリー エクリュ",
    "brown": "brown braun marron brun brune chocolate camel mocha ブラウン キャメル モカ チャイロ 茶 茶色",
    "khaki": "khaki olive カーキ オリーブ",
    "green": "green grün gruen vert verde lime グリーン ライム ミドリ 緑",
    "mint": "mint ミント",
    "teal": "teal turquoise türkis aqua cyan ターコイズ アクア 水色",
    "blue": "blue blau bleu azul blu sky ブルー サックス 青 藍",
    "navy": "navy marine indigo ネイビー インディゴ 紺",
    "purple": "purple violet lila viola morado plum パープル バイオレット プラム 紫",
    "lavender": "lavender lilac ラベンダー ライラック",
    "multi": "multi multicolor multicolour rainbow マルチ レインボー",
}
_KANJI = r"[\u3400-\u9fff]"
_COLOURS = {folded(name): colour for colour, names in _NAMES.items() for name in names.split()}


def _pattern(name: str) -> str:
    if name.isascii() or name[0] < "\u0250":
        return rf"(?<![^\W\d_]){re.escape(name)}(?![^\W\d_])"
    if re.fullmatch(_KANJI, name):  # 赤い, 赤色 and (赤), but not 赤ちゃん or 白金
        return rf"(?<!{_KANJI}){name}(?=色|い|系|[^\w]|_|$)"
    return re.escape(name)


_ANY = re.compile("|".join(_pattern(name) for name in sorted(_COLOURS, key=len, reverse=True)))


def colours(text: str) -> str | None:
    """The colours that `text` names, in the order of its words, each once, as one key: "navy white". None if none."""
    named = [_COLOURS[match.group()] for match in _ANY.finditer(folded(text))]
    return " ".join(dict.fromkeys(named)) or None


def without(text: str) -> str:
    """`text`, folded, without its names of colours and the marks before them: what the colours of a product share."""
    bare = re.sub(rf"\s*[-/|:,・–—]?\s*(?:{_ANY.pattern})(?:色|い|系)?", " ", folded(text))
    return " ".join(bare.split())
