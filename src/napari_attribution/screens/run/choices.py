"""Choices: how a screen is run. They draw the dock's form, and their words are those of the command line."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MEGA = 2**20


class Choices(BaseModel):
    """How a screen is run, but for the question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(default=1, ge=1, le=256, title="processes", description="Processes of this machine")
    scheduler: str | None = Field(
        default=None,
        title="dask cluster",
        description="A dask cluster, whose workers see the same files, instead (tcp://...)",
    )
    in_hand: int = Field(
        default=512, ge=1, le=2**20, title="memory", description="Memory for the fields in hand in each process"
    )
    faithfulness: bool = Field(
        default=True,
        title="measure trust",
        description="Find out how far each map is to be trusted (it takes four forwards a method and field)",
    )
    maps: bool = Field(default=True, title="keep the maps", description="Keep the maps beside the table")

    @property
    def asked(self) -> dict[str, Any]:
        """As `run_screen` takes them."""
        return {
            "workers": self.workers,
            "scheduler": self.scheduler,
            "batch_bytes": self.in_hand * MEGA,
            "faithfulness": self.faithfulness,
            "maps": self.maps,
        }


def words(name: str) -> str:
    """What a choice is, to go on a sentence with: "processes of this machine"."""
    told = Choices.model_fields[name].description or ""
    return told[:1].lower() + told[1:]
