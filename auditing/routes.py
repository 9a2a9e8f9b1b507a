"""Retrieve ATNA Audit Event (ITI-81): the trail as FHIR, for those who may read it, who are noted in it before."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException

from auditing import using
from auditing.admission import Admission, Reader, of_caller
from auditing.event import Coded
from auditing.fhir import answers
from auditing.fhir.asking import BadQuestion, question
from auditing.fhir.audit_event import Resource, audit_event, unreadable
from auditing.own import Attempt
from auditing.reading import Unreadable, read_event
from auditing.store import searching
from auditing.store.searching import Found
from common.audit.events import NOT_IDENTIFIED, TOO_OFTEN, Other
from common.db import Database, DatabaseError
from common.observe import correlation, metrics
from common.settings import Settings
from common.tls import PEER, Peer
from common.web.bearer import Refused
from common.web.pacing import Pacing, TooOften, client_of
from common.web.sparing import Sparing, with_count

log = logging.getLogger("portolan.auditing")

PREFIX: Final = "/audit"
_ITI_81: Final = Coded("ITI-81", "IHE Transactions", "Retrieve ATNA Audit Event")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_MOST_FORM: Final = 64 * 1024
_NOT_ALLOWED: Final = 405
_UNREAD: Final = (400, 413)
"""Where the form may be what is wrong."""
_NOT_LET_IN: Final = (401, 403)
_FORM: Final = "application/x-www-form-urlencoded"
_CODES: Final = {401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 406: "not-supported",
                 413: "too-long", 503: "transient"}  # fmt: skip


class Routes:
    """The requests of one address."""

    def __init__(
        self, settings: Settings, database: Database, admission: Admission, sparing: Sparing | None = None
    ) -> None:
        self._settings, self._database, self._admission = settings, database, admission
        self._sparing = sparing or Sparing()
        self._pacing = Pacing.of(settings.client_rate, settings.client_burst, settings.client_failures)
        self._base = settings.audit_repository_url.rstrip("/")

    def search(self) -> Response:
        """A page of what is asked for."""
        reader = self._reader()
        pairs = [*request.args.items(multi=True), *request.form.items(multi=True)]
        lenient = "handling=lenient" in request.headers.get("Prefer", "")
        asked = question(pairs, self._settings.patient_authority, lenient=lenient)
        patients = [value for name, value in asked.parameters if name == "patient.identifier"]
        self._note(reader, f"AuditEvent?{urlencode(pairs)}", next(iter(patients), ""))
        with self._database.read() as work:
            found = searching.page(work, asked.wanted, asked.before, asked.count)
        last = (found[-1].at, found[-1].number) if len(found) == asked.count else None
        return self._answer(answers.bundle(self._base, asked, [_resource(each) for each in found], last))

    def read(self, number: str) -> Response:
        """One record."""
        reader = self._reader()
        self._note(reader, f"AuditEvent/{number[:64]}", "")
        found = None
        if number.isascii() and number.isdigit() and len(number) <= 18:
            with self._database.read() as work:
                found = searching.one(work, int(number))
        if found is None:
            return self._answer(answers.outcome("not-found", "There is no such record."), 404)
        return self._answer(_resource(found))

    def capability(self) -> Response:
        """What is served, told to everybody."""
        date = datetime.now(UTC).strftime("%Y-%m-%d")
        told = answers.capability(self._base, _version(), date, tokens=self._admission.by_token)
        return self._answer(told)

    def _reader(self) -> Reader:
        """Refused, TooOften; who is known and lacks the right is noted in the trail, who is not once in a while."""
        try:
            self._pacing.admit(request.environ)
            return self._admission.admit(request.environ)
        except TooOften as often:
            metrics.refused("audit")
            self._note_attempt(TOO_OFTEN, often.reason)
            raise
        except Refused as refused:
            if refused.caller is not None:
                self._note(of_caller(refused.caller), request.path, "", refused.told)
            elif refused.status in _NOT_LET_IN:
                if request.environ.get("HTTP_AUTHORIZATION"):
                    self._pacing.failed(request.environ)
                self._note_attempt(NOT_IDENTIFIED, refused.told)
            raise

    def _note_attempt(self, kind: Other, told: str) -> None:
        """Whoever knocks gets nothing to see, so that they are refused even where that could not be noted."""
        left_out = self._sparing.more(kind.name, client_of(request.environ))
        if left_out is None:
            return
        peer = request.environ.get(PEER)
        tried = Attempt(
            peer.subject if isinstance(peer, Peer) else "",
            request.environ.get("REMOTE_ADDR", ""),
            socket.gethostname(),
            with_count(told, left_out),
        )
        try:
            using.note_attempt(self._database, kind, tried, self._base)
        except DatabaseError as error:
            log.error("an attempt to read the trail could not be noted: %s", error)

    def _note(self, reader: Reader, asked: str, patient: str, refused: str = "") -> None:
        """On disk before anything is shown."""
        system, _, number = patient.partition(",")[0].rpartition("|")
        oid = system.removeprefix("urn:oid:") if system.startswith("urn:oid:") else ""
        authority = oid or self._settings.patient_authority
        about = f"{number}^^^&{authority}&ISO" if number else ""
        host, network = socket.gethostname(), request.environ.get("REMOTE_ADDR", "")
        use = reader.use(self._base, asked, host, network, patient=about, transaction=_ITI_81, refused=refused)
        using.note(self._database, use, self._base)

    def _answer(self, resource: Resource, status: int = 200) -> Response:
        asked = request.args.get("_format", "")
        if status not in _UNREAD:
            asked = request.form.get("_format", asked)
        media = answers.format_of(asked, request.headers.get("Accept", ""))
        if media is None:
            media, status = answers.JSON, 406
            resource = answers.outcome("not-supported", "Answers are application/fhir+json or application/fhir+xml.")
        return Response(answers.written(resource, media), status, content_type=f"{media}; charset=UTF-8")

    def refused(self, error: Exception) -> Response:
        """An OperationOutcome; a breakdown of ours without detail."""
        if isinstance(error, Refused):
            response = self._answer(answers.outcome(_CODES.get(error.status, "forbidden"), error.told), error.status)
            if error.challenge:
                response.headers["WWW-Authenticate"] = error.challenge
            return response
        if isinstance(error, TooOften):
            response = self._answer(answers.outcome("throttled", error.reason), error.http_status)
            response.headers["Retry-After"] = str(int(error.seconds) + 1)
            return response
        if isinstance(error, BadQuestion):
            return self._answer(answers.outcome(error.code, error.told), 400)
        if isinstance(error, HTTPException):
            status = error.code or 500
            response = self._answer(answers.outcome(_CODES.get(status, "invalid"), f"{error.name}."), status)
            if status == _NOT_ALLOWED:
                response.headers["Allow"] = "GET, HEAD"
            return response
        told = f"[{correlation.current()}]"
        if isinstance(error, DatabaseError):
            log.error("could not read the trail: %s", error)
            return self._answer(answers.outcome("transient", f"The trail cannot be read now. {told}"), 503)
        log.error("broke down in ITI-81", exc_info=error)
        return self._answer(answers.outcome("exception", f"The service failed. {told}"), 500)


def _resource(found: Found) -> Resource:
    try:
        return audit_event(found.number, found.at, read_event(found.raw))
    except Unreadable as error:
        return unreadable(found.number, found.at, str(error))


def _version() -> str:
    try:
        return version("portolan")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


def serve(app: Flask, routes: Routes) -> None:
    """Add the face to an application."""
    made = Blueprint("iti81", __name__, url_prefix=PREFIX)

    def guarded(act: Callable[..., Response]) -> Callable[..., Response]:
        def answered(**given: Any) -> Response:
            try:
                return act(**given)
            except Exception as error:
                return routes.refused(error)

        return answered

    made.add_url_rule("/AuditEvent", "search", guarded(routes.search))
    made.add_url_rule("/AuditEvent/_search", "search_by_form", guarded(_form(routes.search)), methods=["POST"])
    made.add_url_rule("/AuditEvent/<number>", "read", guarded(routes.read))
    made.add_url_rule("/metadata", "capability", guarded(routes.capability))
    app.register_blueprint(made)

    @app.errorhandler(HTTPException)
    def elsewhere(error: HTTPException) -> Response:
        return routes.refused(error)


def _form(search: Callable[[], Response]) -> Callable[[], Response]:
    def checked() -> Response:
        if request.mimetype != _FORM:
            raise BadQuestion("A search by POST is application/x-www-form-urlencoded.", "not-supported")
        if (request.content_length or 0) > _MOST_FORM:
            raise BadQuestion("The form is too long.", "too-long")
        return search()

    return checked


def secure(app: Flask) -> None:
    """What every answer says to browsers, that of a probe too."""
    app.config["MAX_CONTENT_LENGTH"] = _MOST_FORM
    app.config["MAX_FORM_MEMORY_SIZE"] = _MOST_FORM

    @app.after_request
    def headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response
