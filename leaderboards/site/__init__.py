"""The static site: pages of measured tables, of methods and of published numbers.

Every text goes through `markup`, which escapes it; there is no other way to make a page. The pages
need no server and no network, and without JavaScript they only lose sorting and filtering.
"""
