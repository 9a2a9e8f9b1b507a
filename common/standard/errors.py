"""The error codes of ITI TF-3 Table 4.2.4.1-2, spelled as on the wire."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every code that this product may send; the text says when."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "ErrorCode":
        """Keep the meaning beside the code, so that the manual can print both."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    InvalidDocumentContent = "InvalidDocumentContent", "the content does not match its metadata"
    UnresolvedReferenceException = "UnresolvedReferenceException", "an id leads to no object"
    XDSDocumentUniqueIdError = "XDSDocumentUniqueIdError", "no such document can be had here"
    XDSDuplicateUniqueIdInRegistry = "XDSDuplicateUniqueIdInRegistry", "the uniqueId is taken"
    XDSExtraMetadataNotSaved = "XDSExtraMetadataNotSaved", "extra metadata was dropped (a warning)"
    XDSMissingDocument = "XDSMissingDocument", "a DocumentEntry came without its document"
    XDSMissingDocumentMetadata = "XDSMissingDocumentMetadata", "a document came without its DocumentEntry"
    XDSMissingHomeCommunityId = "XDSMissingHomeCommunityId", "a homeCommunityId is needed"
    XDSNonIdenticalHash = "XDSNonIdenticalHash", "the uniqueId is registered with another hash"
    XDSNonIdenticalSize = "XDSNonIdenticalSize", "the uniqueId is registered with another size"
    XDSPatientIdDoesNotMatch = "XDSPatientIdDoesNotMatch", "objects of different patients cannot go together"
    XDSRegistryBusy = "XDSRegistryBusy", "the registry is too busy; send again later"
    XDSRepositoryBusy = "XDSRepositoryBusy", "the repository is too busy; send again later"
    XDSRegistryDeprecatedDocumentError = "XDSRegistryDeprecatedDocumentError", "a target is deprecated"
    XDSRegistryDuplicateUniqueIdInMessage = "XDSRegistryDuplicateUniqueIdInMessage", "a uniqueId occurs twice"
    XDSRepositoryDuplicateUniqueIdInMessage = "XDSRepositoryDuplicateUniqueIdInMessage", "a uniqueId occurs twice"
    XDSRegistryError = "XDSRegistryError", "the registry failed, and no other code fits"
    XDSRepositoryError = "XDSRepositoryError", "the repository failed, and no other code fits"
    XDSRegistryMetadataError = "XDSRegistryMetadataError", "the metadata are wrong"
    XDSRepositoryMetadataError = "XDSRepositoryMetadataError", "the metadata are wrong"
    XDSRegistryNotAvailable = "XDSRegistryNotAvailable", "the repository cannot reach the registry"
    XDSRegistryOutOfResources = "XDSRegistryOutOfResources", "the registry has no room"
    XDSRepositoryOutOfResources = "XDSRepositoryOutOfResources", "the repository has no room"
    XDSResultNotSinglePatient = "XDSResultNotSinglePatient", "the answer would mix patients"
    XDSStoredQueryMissingParam = "XDSStoredQueryMissingParam", "a required parameter is missing"
    XDSStoredQueryParamNumber = "XDSStoredQueryParamNumber", "a parameter has the wrong number of values"
    XDSTooManyResults = "XDSTooManyResults", "the answer would be over the limit"
    XDSUnknownPatientId = "XDSUnknownPatientId", "the patient is not known"
    XDSUnknownRepositoryId = "XDSUnknownRepositoryId", "this is not that repository"
    XDSUnknownStoredQuery = "XDSUnknownStoredQuery", "no such stored query"
    XDSMetadataUpdateError = "XDSMetadataUpdateError", "the update does not fit what is registered"
    XDSMetadataUpdateOperationError = "XDSMetadataUpdateOperationError", "the update cannot be understood"
    XDSMetadataVersionError = "XDSMetadataVersionError", "PreviousVersion is not the current version"
    XDSPatientIDReconciliationError = "XDSPatientIDReconciliationError", "the patient ids do not go together"
    ReferencesExistException = "ReferencesExistException", "something that stays refers to what is to be removed"
    XDSUnreferencedObjectException = "XDSUnreferencedObjectException", "the removal would leave an orphan"
    XDSRemoveDocumentsError = "XDSRemoveDocumentsError", "the document cannot be removed"
    XDSUnknownCommunity = "XDSUnknownCommunity", "the homeCommunityId is not known here"
    XDSObjectTypeError = "XDSObjectTypeError", "a restricted update cannot hold or change this kind of object"
    XDSMetadataIdentifierError = "XDSMetadataIdentifierError", "a restricted update cannot change the uniqueId"
    XDSInvalidRequestException = "XDSInvalidRequestException", "a first version cannot come by a restricted update"
    UnmodifiableMetadataError = "UnmodifiableMetadataError", "a restricted update cannot change this attribute"
    LocalPolicyRestrictionError = "LocalPolicyRestrictionError", "local policy does not allow it"
    XDSMetadataAnnotationError = "XDSMetadataAnnotationError", "the annotations of a restricted update are wrong"
