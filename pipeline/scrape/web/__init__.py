"""The one HTTP layer: every listing, page and image is fetched through it, under the same rules.

It says who it is, obeys robots.txt and opt-outs, spaces its requests per host, retries what may pass, follows
redirects by hand, dials only addresses that it has checked, and bounds every response in bytes and time.
"""
