{{- define "portolan.name" -}}
{{- printf "%s-%s" .root.Release.Name .service | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "portolan.selector" -}}
app.kubernetes.io/name: portolan
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{- define "portolan.peer" -}}
podSelector:
  matchLabels: {{- include "portolan.selector" . | nindent 4 }}
{{- end -}}

{{- define "portolan.labels" -}}
{{ include "portolan.selector" . }}
app.kubernetes.io/part-of: portolan
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "portolan.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "portolan.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary .Release.Name "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The port of a service's HTTP face. */}}
{{- define "portolan.port" -}}
{{- get (dict "registry" "8010" "repository" "8020" "identity" "8070" "audit" "8090") . -}}
{{- end -}}

{{/* Any user but root, and nothing to be written but the volumes. */}}
{{- define "portolan.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "portolan.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* What is said elsewhere in the values, or is a secret. */}}
{{- define "portolan.reserved" -}}
data database outbox codes registry_bind registry_url registry_mllp_bind registry_workers registry_threads
repository_bind repository_url repository_uid repository_workers repository_threads storage s3_endpoint s3_region
s3_access_key s3_secret_key identity_bind identity_url identity_database identity_mllp_bind identity_workers
identity_threads identity_forward identity_forward_ca_file mllp_tls_certificate mllp_tls_key mllp_tls_client_ca
database_replica registry_probe_bind repository_probe_bind identity_probe_bind tls_certificate tls_key tls_trust tls_crl
tls_peers client_rate client_burst client_failures xua xua_issuers xua_systems xua_audiences access access_policy
access_listed audit audit_repositories audit_sync audit_failure audit_spool_max audit_site audit_repository_database
audit_repository_bind audit_repository_http_bind audit_repository_url audit_repository_probe_bind
audit_repository_workers audit_repository_threads audit_repository_readers audit_repository_key
audit_repository_checkpoints oauth oauth_issuer oauth_jwks oauth_metadata oauth_audiences oauth_introspection
oauth_client oauth_client_secret
{{- end -}}

{{/* What every process is told. */}}
{{- define "portolan.settings" -}}
{{- $reserved := splitList " " (include "portolan.reserved" . | replace "\n" " ") -}}
{{- range $name, $value := .Values.settings }}
{{- if has $name $reserved }}
{{- fail (printf "settings.%s has a place of its own in the values, or belongs into a Secret" $name) }}
{{- end }}
- { name: PORTOLAN_{{ $name | upper }}, value: {{ $value | toString | quote }} }
{{- end }}
- { name: PORTOLAN_DATA, value: /data }
{{- end -}}

{{- define "portolan.outboxEnv" -}}
{{- if .Values.outbox.existingSecret }}
- name: PORTOLAN_OUTBOX
  valueFrom: { secretKeyRef: { name: {{ .Values.outbox.existingSecret }}, key: {{ .Values.outbox.key }} } }
{{- else if .Values.settings.async_reply_to }}
{{- fail "settings.async_reply_to is set: answers would be lost with their pod. Set outbox.existingSecret." }}
{{- end }}
{{- end -}}

{{- define "portolan.env" -}}
{{ include "portolan.settings" . | trim }}
{{- if .Values.codes.existingConfigMap }}
- { name: PORTOLAN_CODES, value: "/etc/portolan/codes/{{ .Values.codes.key }}" }
{{- end }}
{{ include "portolan.outboxEnv" . | trim }}
{{- end -}}

{{- define "portolan.databaseEnv" -}}
- name: PORTOLAN_DATABASE
  valueFrom:
    secretKeyRef:
      name: {{ required "database.existingSecret must name a Secret with PostgreSQL's URL" .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
{{- end -}}

{{- define "portolan.identityDatabaseEnv" -}}
- name: PORTOLAN_IDENTITY_DATABASE
  valueFrom:
    secretKeyRef:
      name: {{ required "identity.database.existingSecret must name a Secret with PostgreSQL's URL" .Values.identity.database.existingSecret }}
      key: {{ .Values.identity.database.key }}
{{- end -}}

{{- define "portolan.registryUrl" -}}
{{ ternary "https" "http" (not (empty .Values.tls.existingSecret)) }}://{{ include "portolan.name" (dict "root" . "service" "registry") }}:8010/registry
{{- end -}}

{{- define "portolan.registryEnv" -}}
- { name: PORTOLAN_REGISTRY_URL, value: {{ required "registry.url must be the Registry's address as others use it" .Values.registry.url | quote }} }
- { name: PORTOLAN_REGISTRY_BIND, value: "0.0.0.0:8010" }
- { name: PORTOLAN_REGISTRY_MLLP_BIND, value: {{ ternary (printf "0.0.0.0:%v" .Values.registry.mllp.port) "off" .Values.registry.mllp.enabled | quote }} }
{{ include "portolan.databaseEnv" . }}
{{- with .Values.database.replica }}
{{- if .existingSecret }}
- name: PORTOLAN_DATABASE_REPLICA
  valueFrom: { secretKeyRef: { name: {{ .existingSecret }}, key: {{ .key }} } }
{{- end }}
{{- end }}
{{- end -}}

{{- define "portolan.repositoryEnv" -}}
- { name: PORTOLAN_REPOSITORY_URL, value: {{ required "repository.url must be the Repository's address as others use it" .Values.repository.url | quote }} }
- { name: PORTOLAN_REPOSITORY_UID, value: {{ required "repository.uid must be an OID of your own" .Values.repository.uid | quote }} }
- { name: PORTOLAN_REPOSITORY_BIND, value: "0.0.0.0:8020" }
- { name: PORTOLAN_REGISTRY_URL, value: {{ include "portolan.registryUrl" . | quote }} }
{{- with .Values.repository.storage }}
{{- if and .s3.bucket .existingClaim }}
{{- fail "repository.storage has both a bucket and a claim: keep one" }}
{{- else if .s3.bucket }}
- { name: PORTOLAN_STORAGE, value: "s3://{{ .s3.bucket }}" }
- { name: PORTOLAN_S3_ENDPOINT, value: {{ required "repository.storage.s3.endpoint must be set" .s3.endpoint | quote }} }
{{- if .s3.region }}
- { name: PORTOLAN_S3_REGION, value: {{ .s3.region | quote }} }
{{- end }}
- name: PORTOLAN_S3_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ required "repository.storage.s3.existingSecret must name a Secret with the keys" .s3.existingSecret }}
      key: {{ .s3.accessKeyKey }}
- name: PORTOLAN_S3_SECRET_KEY
  valueFrom:
    secretKeyRef: { name: {{ .s3.existingSecret }}, key: {{ .s3.secretKeyKey }} }
{{- else if .existingClaim }}
- { name: PORTOLAN_STORAGE, value: /documents }
{{- else }}
{{- fail "repository.storage must name a bucket (s3.bucket) or a claim (existingClaim)" }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "portolan.identityEnv" -}}
- { name: PORTOLAN_IDENTITY_URL, value: {{ required "identity.url must be the cross-reference's address as others use it" .Values.identity.url | quote }} }
- { name: PORTOLAN_IDENTITY_BIND, value: "0.0.0.0:8070" }
- { name: PORTOLAN_IDENTITY_MLLP_BIND, value: {{ ternary (printf "0.0.0.0:%v" .Values.identity.mllp.port) "off" .Values.identity.mllp.enabled | quote }} }
{{- if and .Values.identity.forward .Values.registry.mllp.enabled }}
- { name: PORTOLAN_IDENTITY_FORWARD, value: "{{ include "portolan.name" (dict "root" . "service" "registry") }}-mllp:{{ .Values.registry.mllp.port }}" }
{{- if .Values.mllpTls.existingSecret }}
- { name: PORTOLAN_IDENTITY_FORWARD_CA_FILE, value: /etc/portolan/mllp/ca.crt }
{{- end }}
{{- end }}
{{ include "portolan.identityDatabaseEnv" . }}
{{- end -}}

{{- define "portolan.mllpEnv" -}}
{{- if .Values.mllpTls.existingSecret }}
- { name: PORTOLAN_MLLP_TLS_CERTIFICATE, value: /etc/portolan/mllp/tls.crt }
- { name: PORTOLAN_MLLP_TLS_KEY, value: /etc/portolan/mllp/tls.key }
{{- if .Values.mllpTls.clientCaSecret }}
- { name: PORTOLAN_MLLP_TLS_CLIENT_CA, value: /etc/portolan/mllp-clients/ca.crt }
{{- end }}
{{- end }}
{{- end -}}
