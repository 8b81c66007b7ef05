from __future__ import annotations

from hypothesis import HealthCheck, settings

# Other work shares the machine: no test fails for a slow moment, and none runs for long.
settings.register_profile("wire", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wire")
