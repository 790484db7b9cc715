"""What the mmengine and fvcore interfaces share: one analysis, its handles and its printed forms.

Those libraries trace a model with TorchScript and hand each traced operator to a function, its
handle. Here the model runs once under `dispatchcount.profile`, and each torch function that it
calls stands for a traced operator.
"""
