"""This process and its surroundings: how it ends, what it prints, what is installed.

In reading order: exit_codes, signals (SIGTERM and SIGHUP end a command like Ctrl-C), garbage (when Python looks for
cycles), teardown (what is left out at the end), terminal (text of others cannot control it; `--json` is all there is on
stdout), extras (optional packages and the commands that install them), devices (what torch was built for, without
importing it), hub_network (whether the hub can be reached).
Not here: what a command does (cli/).
"""
