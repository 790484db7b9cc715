"""What every rule is written with: shapes, costs, the registry, and costs that many rules share.

Nothing here knows a family of operators. A family (``rules/matmul.py``, ``rules/norm.py`` …)
imports from here, and enters its rules into `registry.RULES` when it is imported itself;
`rules.library` imports all of them. Imports within this folder run downward:

    register   classify   fused   products      use the registry, or cost a product
         registry        values   sizes         look rules up, or read arguments
      names    cost    widths   uses            name operators, say what one costs and on what
                 shape                          what a tensor is to a rule
"""
