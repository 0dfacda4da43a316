"""The team's services as processes of this machine: what `make team` starts, and the tests with it.

    python -m infra.team start|stop|status|env

Each service is a class of its own (its command, its variables, how it is asked whether it answers);
`stack.py` has their order. Everything listens on loopback. What a service would open without asking for
credentials (SeaweedFS's filer, Ray's ports between its nodes) lies in a network namespace of its own,
behind `fence.py`, where this machine lets its users make one.
"""
