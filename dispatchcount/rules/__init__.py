"""What operators cost: pure functions from the shapes of a call to a `Cost`.

`core` holds what rules are made of, and each file beside it one family of operators. A family
registers its rules by decorator, when it is imported; importing `dispatchcount.rules.library`
imports every family and so fills the registry. This package itself imports nothing, so that
``dispatchcount.rules.core.cost`` can be imported without the families.
"""
