"""The stage `curate stats`: the funnel, the HTML report, credits."""
