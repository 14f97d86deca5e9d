from __future__ import annotations

from birthday_cli.domain.states import CLAIMABLE, FINAL, Status


def test_only_sent_and_failed_are_final_and_neither_can_be_claimed() -> None:
    assert {Status.SENT, Status.FAILED} == FINAL
    assert {Status.SCHEDULED, Status.QUEUED, Status.RETRYING} == CLAIMABLE
