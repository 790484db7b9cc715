"""What every rule is written with: shapes, costs, the registry, and costs that many rules share.

Nothing here knows a family of operators. A family (``rules/matmul.py``, ``rules/norm.py`` …) imports
from here and enters its rules into `registry.RULES` when it is imported itself; `rules.library`
imports all of them. Within this folder imports run in one direction:

    register  classify  fused  products
        names  registry   sizes  values
              cost
              shape
"""
