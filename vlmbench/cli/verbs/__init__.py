"""The verbs of the command line, one file each: `add_arguments(parser)` and `run(args) -> exit code`.

A verb turns its arguments into typed options, calls one function of a package below, and prints the result. It is
imported only when it is used. Not here: logic that `vlmbench.evaluate` or another verb could need.
"""
