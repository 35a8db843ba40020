"""Pages for analysts: what there is, whether it is fresh, where it is from, what changed, how to get it.

``router`` joins them to the HTTP door; each other module is one fact of a page, as a plain function over a ``View``: one
dataset as one person sees it at one moment. Nothing here decides what a person may see: that is the session's and its
rights'. What the log tells of rows that a person does not see (counts, rejects) is left out by ``View``.
"""
