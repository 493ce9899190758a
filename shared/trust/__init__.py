"""Trust: who takes part, how they prove it, and what each may call.

The nation is the root: `authority` signs short-lived certificates, `tokens` and `enrolment` let a node join,
`directory` says who takes part, `credentials` keeps a node's own certificate fresh, `authentication` tells who makes a
call, and `methods` says who may make it. What no row allows is denied.
"""
