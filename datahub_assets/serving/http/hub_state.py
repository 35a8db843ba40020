"""``/cuts`` and ``/health``: named states of the hub, and whether it answers."""

from typing import Any

from fastapi import APIRouter

from datahub_assets.serving.http import documents as told
from datahub_assets.serving.http.answering import told_moment
from datahub_assets.serving.http.signing_in import Asking, Served

router = APIRouter(tags=["hub"])
health_router = APIRouter(tags=["hub"])


@router.get("/cuts", response_model=told.Cuts)
def cuts(session: Asking) -> dict[str, Any]:
    """Named states of the hub, oldest first: a name can stand wherever a known time can."""
    moment, log = session.begin(), session.engine.hub.log
    found = sorted(log.cuts(moment.position).values(), key=lambda cut: cut.position)
    return {
        **told_moment(moment),
        "cuts": [
            told.CutDocument(
                name=cut.name, position=cut.position, known_at=log.entry(cut.position).known_at, note=cut.note
            )
            for cut in found
        ],
    }


@health_router.get("/health", response_model=told.Health)
def health(engine: Served) -> dict[str, str]:
    """Whether the hub answers: its log and the file that says who may read. For monitoring; nobody needs to sign in."""
    engine.hub.log.last()
    engine.access.now()
    return {"status": "ok"}
