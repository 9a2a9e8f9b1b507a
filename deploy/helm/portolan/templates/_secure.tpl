{{/* Who calls, who may, and who did: TLS, assertions, access decisions, the audit trail and bearer tokens. */}}

{{/* What contradicts itself, in a sentence. */}}
{{- define "portolan.agreed" -}}
{{- with .Values }}
{{- if and .tls.existingSecret (not .tls.trustSecret) }}
{{- fail "tls.trustSecret must name a Secret with ca.crt: without it nobody is asked for a certificate" }}
{{- end }}
{{- if and .tls.existingSecret .ingress.enabled }}
{{- fail "tls.existingSecret and ingress.enabled are both set: an Ingress would take the callers' certificates away; use service.type of each service" }}
{{- end }}
{{- if not .tls.existingSecret }}
{{- range $name, $set := dict "xua.mode is required" (eq .xua.mode "required") "audit.enabled is set" .audit.enabled "auditRepository.enabled is set" .auditRepository.enabled "tls.peersConfigMap is set" .tls.peersConfigMap "tls.crlSecret is set" .tls.crlSecret }}
{{- if $set }}
{{- fail (printf "%s, so tls.existingSecret must be set too: peers are known by their certificates" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (ne .xua.mode "off") (not .xua.existingConfigMap) }}
{{- fail "xua.existingConfigMap must name a ConfigMap with issuers.toml, its PEM files and systems" }}
{{- end }}
{{- if and .access.enabled (eq .xua.mode "off") }}
{{- fail "access.enabled is set, so xua.mode must be optional or required: access is decided on who asks" }}
{{- end }}
{{- if and .audit.enabled (not .auditRepository.enabled) (not .audit.repositories) }}
{{- fail "audit.enabled is set, so audit.repositories or auditRepository.enabled must be set too: records would wait for nobody" }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The key in the values of a service, and what its settings begin with. */}}
{{- define "portolan.valuesOf" -}}{{- get (dict "audit" "auditRepository") . | default . -}}{{- end -}}
{{- define "portolan.prefixOf" -}}{{- get (dict "audit" "AUDIT_REPOSITORY") . | default (upper .) -}}{{- end -}}

{{/* Where health and metrics are told without TLS. */}}
{{- define "portolan.probePort" -}}
{{- get (dict "registry" "9010" "repository" "9020" "identity" "9070" "audit" "9090") . -}}
{{- end -}}

{{- define "portolan.tlsEnv" -}}
{{- with .root.Values.tls }}
{{- if .existingSecret }}
- { name: PORTOLAN_TLS_CERTIFICATE, value: /etc/portolan/tls/tls.crt }
- { name: PORTOLAN_TLS_KEY, value: /etc/portolan/tls/tls.key }
- { name: PORTOLAN_TLS_TRUST, value: /etc/portolan/trust/ca.crt }
{{- if .crlSecret }}
- { name: PORTOLAN_TLS_CRL, value: /etc/portolan/revoked/crl.pem }
{{- end }}
{{- if .peersConfigMap }}
- { name: PORTOLAN_TLS_PEERS, value: /etc/portolan/peers/peers }
{{- end }}
- { name: PORTOLAN_{{ include "portolan.prefixOf" $.service }}_PROBE_BIND, value: "0.0.0.0:{{ include "portolan.probePort" $.service }}" }
{{- end }}
{{- end }}
{{- with .root.Values.clients }}
- { name: PORTOLAN_CLIENT_RATE, value: {{ .rate | int | toString | quote }} }
- { name: PORTOLAN_CLIENT_BURST, value: {{ .burst | int | toString | quote }} }
- { name: PORTOLAN_CLIENT_FAILURES, value: {{ .failures | int | toString | quote }} }
{{- end }}
{{- end -}}

{{/* Of those who answer for documents and patients; not of the audit record repository. */}}
{{- define "portolan.judgedEnv" -}}
{{- $values := .root.Values -}}
{{- if ne $values.xua.mode "off" }}
- { name: PORTOLAN_XUA, value: {{ $values.xua.mode | quote }} }
- { name: PORTOLAN_XUA_ISSUERS, value: /etc/portolan/xua/issuers.toml }
{{- if $values.tls.existingSecret }}
- { name: PORTOLAN_XUA_SYSTEMS, value: /etc/portolan/xua/systems }
{{- end }}
{{- with $values.xua.audiences }}
- { name: PORTOLAN_XUA_AUDIENCES, value: {{ join "," . | quote }} }
{{- end }}
{{- end }}
{{- if and $values.access.enabled (ne .service "identity") }}
- { name: PORTOLAN_ACCESS, value: "on" }
{{- if $values.access.policyConfigMap }}
- { name: PORTOLAN_ACCESS_POLICY, value: /etc/portolan/access/policy.toml }
{{- end }}
- { name: PORTOLAN_ACCESS_LISTED, value: {{ $values.access.listed | quote }} }
{{- end }}
{{- if $values.audit.enabled }}
{{- $places := $values.audit.repositories }}
{{- if $values.auditRepository.enabled }}
{{- $places = prepend $places (printf "%s:6514" (include "portolan.name" (dict "root" .root "service" "audit"))) }}
{{- end }}
- { name: PORTOLAN_AUDIT, value: "true" }
- { name: PORTOLAN_AUDIT_REPOSITORIES, value: {{ join "," $places | quote }} }
- { name: PORTOLAN_AUDIT_SYNC, value: {{ $values.audit.sync | quote }} }
- { name: PORTOLAN_AUDIT_FAILURE, value: {{ $values.audit.failure | quote }} }
- { name: PORTOLAN_AUDIT_SPOOL_MAX, value: {{ $values.audit.spool.max | quote }} }
{{- with $values.audit.site }}
- { name: PORTOLAN_AUDIT_SITE, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- end -}}

{{- define "portolan.auditDatabaseEnv" -}}
- name: PORTOLAN_AUDIT_REPOSITORY_DATABASE
  valueFrom:
    secretKeyRef:
      name: {{ required "auditRepository.database.existingSecret must name a Secret with PostgreSQL's URL" .Values.auditRepository.database.existingSecret }}
      key: {{ .Values.auditRepository.database.key }}
{{- end -}}

{{- define "portolan.auditEnv" -}}
{{- $values := .Values.auditRepository -}}
- { name: PORTOLAN_AUDIT_REPOSITORY_URL, value: {{ required "auditRepository.url must be the audit record repository's address as others use it" $values.url | quote }} }
- { name: PORTOLAN_AUDIT_REPOSITORY_HTTP_BIND, value: "0.0.0.0:8090" }
- { name: PORTOLAN_AUDIT_REPOSITORY_BIND, value: "0.0.0.0:6514" }
- { name: PORTOLAN_AUDIT_REPOSITORY_KEY, value: /etc/portolan/audit-key/audit-key.pem }
- { name: PORTOLAN_AUDIT_REPOSITORY_CHECKPOINTS, value: /checkpoints/checkpoints }
{{- if $values.readersConfigMap }}
- { name: PORTOLAN_AUDIT_REPOSITORY_READERS, value: /etc/portolan/readers/readers }
{{- end }}
{{ include "portolan.auditDatabaseEnv" . }}
{{- with .Values.oauth }}
{{- if ne .mode "off" }}
- { name: PORTOLAN_OAUTH, value: {{ .mode | quote }} }
- { name: PORTOLAN_OAUTH_ISSUER, value: {{ required "oauth.issuer must be set" .issuer | quote }} }
{{- if .jwksConfigMap }}
- { name: PORTOLAN_OAUTH_JWKS, value: /etc/portolan/jwks/jwks.json }
{{- end }}
{{- with .metadata }}
- { name: PORTOLAN_OAUTH_METADATA, value: {{ . | quote }} }
{{- end }}
{{- with .audiences }}
- { name: PORTOLAN_OAUTH_AUDIENCES, value: {{ join "," . | quote }} }
{{- end }}
{{- if .introspection }}
- { name: PORTOLAN_OAUTH_INTROSPECTION, value: {{ .introspection | quote }} }
- { name: PORTOLAN_OAUTH_CLIENT, value: {{ .client | quote }} }
- name: PORTOLAN_OAUTH_CLIENT_SECRET
  valueFrom: { secretKeyRef: { name: {{ required "oauth.existingSecret must name a Secret with the client's secret" .existingSecret }}, key: {{ .key }} } }
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The files of a service, each a name, its kind (secret or configMap) and the object's name. */}}
{{- define "portolan.files" -}}
{{- $values := .root.Values -}}
{{- $found := dict -}}
{{- with $values.tls }}
{{- if .existingSecret }}
{{- $found = merge $found (dict "tls" (list "secret" .existingSecret) "trust" (list "secret" .trustSecret)) }}
{{- if .crlSecret }}{{ $found = set $found "revoked" (list "secret" .crlSecret) }}{{ end }}
{{- if .peersConfigMap }}{{ $found = set $found "peers" (list "configMap" .peersConfigMap) }}{{ end }}
{{- end }}
{{- end }}
{{- if eq .service "audit" }}
{{- $found = set $found "audit-key" (list "secret" (required "auditRepository.keySecret must name a Secret with audit-key.pem" $values.auditRepository.keySecret)) }}
{{- with $values.auditRepository.readersConfigMap }}{{ $found = set $found "readers" (list "configMap" .) }}{{ end }}
{{- if and (ne $values.oauth.mode "off") $values.oauth.jwksConfigMap }}{{ $found = set $found "jwks" (list "configMap" $values.oauth.jwksConfigMap) }}{{ end }}
{{- else }}
{{- if ne $values.xua.mode "off" }}{{ $found = set $found "xua" (list "configMap" $values.xua.existingConfigMap) }}{{ end }}
{{- if and $values.access.enabled $values.access.policyConfigMap (ne .service "identity") }}{{ $found = set $found "access" (list "configMap" $values.access.policyConfigMap) }}{{ end }}
{{- end }}
{{- toYaml $found -}}
{{- end -}}

{{- define "portolan.fileMounts" -}}
{{- range $name, $told := include "portolan.files" . | fromYaml }}
- { name: {{ $name }}, mountPath: /etc/portolan/{{ $name }}, readOnly: true }
{{- end }}
{{- if eq .service "audit" }}
- { name: checkpoints, mountPath: /checkpoints }
{{- end }}
{{- end -}}

{{- define "portolan.fileVolumes" -}}
{{- range $name, $told := include "portolan.files" . | fromYaml }}
{{- if eq (first $told) "secret" }}
- { name: {{ $name }}, secret: { secretName: {{ last $told }}, defaultMode: 0440 } }
{{- else }}
- { name: {{ $name }}, configMap: { name: {{ last $told }} } }
{{- end }}
{{- end }}
{{- end -}}

{{/* What outlives a pod: records that wait in its spool, and the audit record repository's checkpoints. */}}
{{- define "portolan.claims" -}}
{{- $claims := dict "data" .root.Values.audit.spool -}}
{{- if eq .service "audit" }}
{{- $claims = set $claims "checkpoints" .root.Values.auditRepository.checkpoints }}
{{- end }}
{{- range $name, $claim := $claims }}
- metadata: { name: {{ $name }} }
  spec:
    accessModes: [ReadWriteOnce]
    {{- with $claim.storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources: { requests: { storage: {{ $claim.size }} } }
{{- end }}
{{- end -}}
