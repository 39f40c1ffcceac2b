"""What a delivered result must be, by the kind of its service: plain functions over its bytes, without side effects.

`kinds` names the kinds, `limits` reads a service's rules, `orders` what one escrow asks for besides, `check` applies
all of it to the bytes. Results come from strangers: everything is bounded before it is decoded.
"""
