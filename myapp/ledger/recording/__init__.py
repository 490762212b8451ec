"""Recording in two forms that mean the same: `steps` anywhere, `statement` in one round trip on plain PostgreSQL."""

from myapp.ledger.recording.form import Form, detect

__all__ = ["Form", "detect"]
