"""The command line ``datahub``: one file a command group; what the commands do is ``operations``'.

Data go to stdout, words to stderr. Operations are imported inside commands, so that ``--help`` needs none of them.
"""
