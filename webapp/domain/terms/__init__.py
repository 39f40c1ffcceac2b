"""The language in which an escrow says when it is released and when refunded: plain values and plain functions.

`language` names the parts, `reading` and `writing` turn documents into them and back, `facts` is what has happened,
`truth` and `progress` say what holds, `proof` shows before the start that every path ends, `outcome` decides,
`simulation` foresees, `sentences` tells it in words, and `presets` writes documents from a few choices.
"""
