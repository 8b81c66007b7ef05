"""Why does it not work? `diagnose` looks at everything between a user and live messages, a step at a time.

    from messaging_client import diagnose

    diagnosis = await diagnose("https://messaging.example.org", token=jwt)      # or: await diagnose(client)
    for each in diagnosis.results:
        print(each.outcome, each.title, each.detail, each.advice or "")
    print(diagnosis.ok)

`on_result=` is called with each `CheckResult` as it comes, so that a screen can fill up; `CHECKS` names all checks with
their titles, in order. Cancelling it closes what it opened. It disturbs nobody: it makes connections of its own, reads
a page of the list and of one conversation, marks nothing read, and the typing event that it sends says *stopped*.
"""

from messaging_client.diagnosis.checks import diagnose
from messaging_client.diagnosis.results import CHECKS, CheckOutcome, CheckResult, Diagnosis

__all__ = ["CHECKS", "CheckOutcome", "CheckResult", "Diagnosis", "diagnose"]
