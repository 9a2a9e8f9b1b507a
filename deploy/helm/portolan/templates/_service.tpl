{{/* One service: its Deployment, Service, budget and, where wanted, autoscaler. */}}
{{- define "portolan.deployed" -}}
{{- $root := .root -}}
{{- $values := get $root.Values (include "portolan.valuesOf" .service) -}}
{{- $name := include "portolan.name" . -}}
{{- $port := include "portolan.port" .service -}}
{{- $mllp := and (hasKey $values "mllp") (dig "enabled" false ($values.mllp | default dict)) -}}
{{- $scaled := dig "autoscaling" "enabled" false $values -}}
{{- $tls := $root.Values.tls.existingSecret -}}
{{- $prefix := include "portolan.prefixOf" .service -}}
{{- /* Records that wait in a pod's spool have to outlive the pod. */ -}}
{{- $stateful := or (eq .service "audit") $root.Values.audit.enabled -}}
{{- $watch := ternary "probe" "http" (not (empty $tls)) -}}
{{- $kind := ternary "StatefulSet" "Deployment" $stateful -}}
apiVersion: apps/v1
kind: {{ $kind }}
metadata:
  name: {{ $name }}
  labels: {{- include "portolan.labels" . | nindent 4 }}
spec:
  {{- if not $scaled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- if $stateful }}
  serviceName: {{ $name }}
  podManagementPolicy: Parallel # at the start and when it is scaled; a release takes one pod after the other all the same
  updateStrategy: { type: RollingUpdate }
  {{- else }}
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  {{- end }}
  selector:
    matchLabels: {{- include "portolan.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "portolan.labels" . | nindent 8 }}
      {{- with $values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "portolan.serviceAccount" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false # their variables begin with the release's name, and could be taken for settings
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {{- include "portolan.podSecurity" $root | nindent 8 }}
      # Running requests get 25 s to end, after 5 s in which the last ones arrive.
      terminationGracePeriodSeconds: 45
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "portolan.selector" . | nindent 14 }}
      containers:
        - name: {{ .service }}
          image: {{ include "portolan.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [serve, {{ .service }}, --no-migrate]
          securityContext: {{- include "portolan.security" $root | nindent 12 }}
          env:
            {{- include "portolan.env" $root | trim | nindent 12 }}
            {{- include (printf "portolan.%sEnv" .service) $root | trim | nindent 12 }}
            - { name: PORTOLAN_{{ $prefix }}_WORKERS, value: {{ $values.workers | quote }} }
            - { name: PORTOLAN_{{ $prefix }}_THREADS, value: {{ $values.threads | quote }} }
            {{- include "portolan.tlsEnv" . | trim | nindent 12 }}
            {{- if ne .service "audit" }}
            {{- with include "portolan.judgedEnv" . | trim }}
            {{- . | nindent 12 }}
            {{- end }}
            {{- end }}
            {{- if $mllp }}
            {{- with include "portolan.mllpEnv" $root | trim }}
            {{- . | nindent 12 }}
            {{- end }}
            {{- end }}
            {{- with $values.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - { name: http, containerPort: {{ $port }} }
            {{- if $mllp }}
            - { name: mllp, containerPort: {{ $values.mllp.port }} }
            {{- end }}
            {{- if eq .service "audit" }}
            - { name: syslog, containerPort: 6514 }
            {{- end }}
            {{- if $tls }}
            - { name: probe, containerPort: {{ include "portolan.probePort" .service }} } # without TLS
            {{- end }}
          startupProbe:
            httpGet: { path: /live, port: {{ $watch }} }
            periodSeconds: 2
            failureThreshold: 60
          # Patient, since to restart what is overloaded makes it worse; processes that die are replaced within the pod.
          livenessProbe:
            httpGet: { path: /live, port: {{ $watch }} }
            periodSeconds: 20
            timeoutSeconds: 10
            failureThreshold: 9
          readinessProbe:
            httpGet: { path: /ready, port: {{ $watch }} }
            periodSeconds: 5
            timeoutSeconds: 4
            failureThreshold: 4
          lifecycle:
            preStop: { exec: { command: [sleep, "5"] } } # until nobody is sent here any more
          resources: {{- toYaml $values.resources | nindent 12 }}
          volumeMounts:
            - { name: data, mountPath: /data }
            - { name: tmp, mountPath: /tmp }
            {{- with printf "%s%s" (include "portolan.mounts" .) (include "portolan.fileMounts" .) | trim }}
            {{- . | nindent 12 }}
            {{- end }}
      volumes:
        {{- if not $stateful }}
        - { name: data, emptyDir: {} }
        {{- end }}
        - { name: tmp, emptyDir: {} }
        {{- with printf "%s%s" (include "portolan.volumes" .) (include "portolan.fileVolumes" .) | trim }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
  {{- if $stateful }}
  volumeClaimTemplates: {{- include "portolan.claims" . | trim | nindent 4 }}
  {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{- include "portolan.labels" . | nindent 4 }}
  {{- with $values.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $values.service.type }}
  selector: {{- include "portolan.selector" . | nindent 4 }}
  {{- with $values.service.loadBalancerSourceRanges }}
  loadBalancerSourceRanges: {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - { name: http, port: {{ $port }}, targetPort: http }
    {{- if eq .service "audit" }}
    - { name: syslog, port: 6514, targetPort: syslog }
    {{- end }}
{{- if $tls }}
---
# Apart from the other, which may be reached from outside: this one answers without TLS.
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}-probe
  labels: {{- include "portolan.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{- include "portolan.selector" . | nindent 4 }}
  ports:
    - { name: probe, port: {{ include "portolan.probePort" .service }}, targetPort: probe }
{{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{- include "portolan.labels" . | nindent 4 }}
spec:
  {{- toYaml $values.disruption | nindent 2 }}
  selector:
    matchLabels: {{- include "portolan.selector" . | nindent 6 }}
{{- if $mllp }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}-mllp
  labels: {{- include "portolan.labels" . | nindent 4 }}
  {{- with $values.mllp.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $values.mllp.service.type }}
  selector: {{- include "portolan.selector" . | nindent 4 }}
  {{- with $values.mllp.service.loadBalancerSourceRanges }}
  loadBalancerSourceRanges: {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - { name: mllp, port: {{ $values.mllp.port }}, targetPort: mllp }
{{- end }}
{{- if $scaled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- include "portolan.labels" . | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: {{ $kind }}, name: {{ $name }} }
  minReplicas: {{ $values.autoscaling.minReplicas }}
  maxReplicas: {{ $values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource: { name: cpu, target: { type: Utilization, averageUtilization: {{ $values.autoscaling.cpu }} } }
  behavior:
    scaleDown: { stabilizationWindowSeconds: 600 } # who is asked to end has to finish its transfers
{{- end }}
{{- end -}}

{{- define "portolan.mounts" -}}
{{- $values := .root.Values -}}
{{- if $values.codes.existingConfigMap }}
- { name: codes, mountPath: /etc/portolan/codes, readOnly: true }
{{- end }}
{{- if and (eq .service "repository") $values.repository.storage.existingClaim }}
- { name: documents, mountPath: /documents }
{{- end }}
{{- if and $values.mllpTls.existingSecret (has .service (list "registry" "identity")) }}
- { name: mllp, mountPath: /etc/portolan/mllp, readOnly: true }
{{- if $values.mllpTls.clientCaSecret }}
- { name: mllp-clients, mountPath: /etc/portolan/mllp-clients, readOnly: true }
{{- end }}
{{- end }}
{{- end -}}

{{- define "portolan.volumes" -}}
{{- $values := .root.Values -}}
{{- if $values.codes.existingConfigMap }}
- { name: codes, configMap: { name: {{ $values.codes.existingConfigMap }} } }
{{- end }}
{{- if and (eq .service "repository") $values.repository.storage.existingClaim }}
- { name: documents, persistentVolumeClaim: { claimName: {{ $values.repository.storage.existingClaim }} } }
{{- end }}
{{- if and $values.mllpTls.existingSecret (has .service (list "registry" "identity")) }}
- { name: mllp, secret: { secretName: {{ $values.mllpTls.existingSecret }}, defaultMode: 0440 } }
{{- if $values.mllpTls.clientCaSecret }}
- { name: mllp-clients, secret: { secretName: {{ $values.mllpTls.clientCaSecret }}, defaultMode: 0440 } }
{{- end }}
{{- end }}
{{- end -}}
