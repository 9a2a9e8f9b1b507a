"""Element names of ebRIM and ebRS 3.0 in Clark notation."""

from typing import Final

from common.standard.identifiers import LCM, QUERY, RIM, RS, XDS, XOP

SLOT: Final = f"{{{RIM}}}Slot"
VALUE_LIST: Final = f"{{{RIM}}}ValueList"
VALUE: Final = f"{{{RIM}}}Value"
NAME: Final = f"{{{RIM}}}Name"
DESCRIPTION: Final = f"{{{RIM}}}Description"
VERSION_INFO: Final = f"{{{RIM}}}VersionInfo"
CONTENT_VERSION_INFO: Final = f"{{{RIM}}}ContentVersionInfo"
LOCALIZED_STRING: Final = f"{{{RIM}}}LocalizedString"
CLASSIFICATION: Final = f"{{{RIM}}}Classification"
EXTERNAL_IDENTIFIER: Final = f"{{{RIM}}}ExternalIdentifier"
EXTRINSIC_OBJECT: Final = f"{{{RIM}}}ExtrinsicObject"
REGISTRY_PACKAGE: Final = f"{{{RIM}}}RegistryPackage"
ASSOCIATION: Final = f"{{{RIM}}}Association"
OBJECT_REF: Final = f"{{{RIM}}}ObjectRef"
OBJECT_REF_LIST: Final = f"{{{RIM}}}ObjectRefList"
REGISTRY_OBJECT_LIST: Final = f"{{{RIM}}}RegistryObjectList"
ADHOC_QUERY: Final = f"{{{RIM}}}AdhocQuery"

SUBMIT_OBJECTS_REQUEST: Final = f"{{{LCM}}}SubmitObjectsRequest"
REQUEST_SLOT_LIST: Final = f"{{{RS}}}RequestSlotList"
REGISTRY_RESPONSE: Final = f"{{{RS}}}RegistryResponse"
REGISTRY_ERROR_LIST: Final = f"{{{RS}}}RegistryErrorList"
REGISTRY_ERROR: Final = f"{{{RS}}}RegistryError"
ADHOC_QUERY_RESPONSE: Final = f"{{{QUERY}}}AdhocQueryResponse"
RESPONSE_OPTION: Final = f"{{{QUERY}}}ResponseOption"

RETRIEVE_RESPONSE: Final = f"{{{XDS}}}RetrieveDocumentSetResponse"
DOCUMENT_REQUEST: Final = f"{{{XDS}}}DocumentRequest"
DOCUMENT_RESPONSE: Final = f"{{{XDS}}}DocumentResponse"
DOCUMENT: Final = f"{{{XDS}}}Document"
HOME_COMMUNITY_ID: Final = f"{{{XDS}}}HomeCommunityId"
REPOSITORY_UNIQUE_ID: Final = f"{{{XDS}}}RepositoryUniqueId"
DOCUMENT_UNIQUE_ID: Final = f"{{{XDS}}}DocumentUniqueId"
MIME_TYPE: Final = f"{{{XDS}}}mimeType"
INCLUDE: Final = f"{{{XOP}}}Include"

XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
