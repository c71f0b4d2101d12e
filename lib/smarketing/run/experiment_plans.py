"""What the notebooks on experiments accept."""

from __future__ import annotations

from typing import ClassVar

from smarketing.company.protocol import Protocol, read_protocol
from smarketing.company.tables import Company
from smarketing.measures.experiments.outcomes import observed
from smarketing.measures.experiments.units import dealt
from smarketing.measures.view import view
from smarketing.run.plan import CompanyPlan, wrong_with


class ExperimentReadout(CompanyPlan):
    """`65_experiment_readout`: whether a campaign worked, by the protocol that was agreed before."""

    notebook: ClassVar[str] = "65_experiment_readout"

    experiment: str = "params/experiments/nurture_mail.yml"

    def protocol(self) -> Protocol:
        """Read the protocol; `CompanyError` where it is wrong, or its experiment was never agreed."""
        return read_protocol(self.path(self.experiment))

    def files(self) -> tuple[str, ...]:
        """Return the files, besides definitions and data, that the plan reads."""
        return (*super().files(), self.experiment)

    def faults(self) -> list[str]:
        """Return everything that is wrong with the files that the plan names; the data are another question."""
        return super().faults() + wrong_with(self.protocol)

    def misfits(self, company: Company) -> list[str]:
        """Return what the definitions, the scope and the protocol ask of the data that they do not hold."""
        found = super().misfits(company)
        return found or wrong_with(lambda: self._asked(company))

    def _asked(self, company: Company) -> None:
        seen = view(company, self.agreed(), self.last_day(company), self.scope)
        observed(seen, dealt(seen, self.protocol()))
