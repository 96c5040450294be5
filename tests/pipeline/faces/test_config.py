"""The rules of one domain, from a section as tables keep it."""

from __future__ import annotations

import pytest

from curate.pipeline.core.config import as_dict
from curate.pipeline.core.errors import UsageError
from curate.pipeline.crop.config import Crop
from curate.pipeline.faces.config import CropRules, domain_rules


def test_the_rules_of_a_domain_follow_from_what_a_table_says_of_its_section() -> None:
    section = Crop(size=128, domains={"anime": {"detector": "anime", "rotate": 45}}, shard_above=7)
    for domain in ("anime", "long"):
        assert domain_rules(as_dict(section), domain) == section.rules(domain)
    assert domain_rules({}, "long") == CropRules()


def test_a_bad_override_is_named() -> None:
    with pytest.raises(UsageError, match=r"crop\.domains\.long\.sise"):
        domain_rules({"domains": {"long": {"sise": 3}}}, "long")
