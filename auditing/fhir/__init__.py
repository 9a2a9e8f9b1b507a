"""The trail as FHIR R4 (ITI-81): AuditEvents, and how they are asked for."""
