"""propto: Bayesian inference from a posterior written up to a constant."""

import lazy_loader as _lazy

from propto.workers import have_spare_workers as _have_spare_workers

__version__ = "0.1.0"

_have_spare_workers()

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
