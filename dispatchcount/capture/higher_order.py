from typing import Any
def run_higher_order(mode: Any, plan: Any, args: Any, kwargs: Any) -> Any:
    return plan.func(*args, **kwargs)
