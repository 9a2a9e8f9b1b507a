"""What was done, by whom and to whose documents: the audit trail (ITI TF-2 3.20)."""

from common.audit.account import Account, Document, Judgement, bind, bound, current

__all__ = ["Account", "Document", "Judgement", "bind", "bound", "current"]
