"""STAGE curate evaluate: trained runs measured on held-out images; and side by side on one page."""
