"""The commands a person types: `skitaid` (skitaid.py) and `skitaid-instance`. One module per command, imported only
when that command is used; `main` finds it in the table of `commands`.
"""
