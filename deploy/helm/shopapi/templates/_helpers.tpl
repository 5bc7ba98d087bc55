{{/* Names, labels, images, security contexts: what more than one template says. */}}

{{- define "shopapi.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The four services, in the order in which they are listed everywhere. */}}
{{- define "shopapi.services" -}}
gateway orders inventory payments
{{- end -}}

{{/* Everybody with a certificate of their own. */}}
{{- define "shopapi.identities" -}}
gateway orders inventory payments shopctl nats postgres
{{- end -}}

{{/* Who signs service tokens. */}}
{{- define "shopapi.signers" -}}
gateway orders inventory payments shopctl
{{- end -}}

{{- define "shopapi.grpcPort" -}}
{{- get (dict "gateway" "9000" "orders" "9001" "inventory" "9002" "payments" "9003") . -}}
{{- end -}}

{{/* Where liveness and readiness are asked. The gateway answers on its public port. */}}
{{- define "shopapi.healthPort" -}}
{{- get (dict "gateway" "8080" "orders" "9101" "inventory" "9102" "payments" "9103") . -}}
{{- end -}}

{{- define "shopapi.selectorLabels" -}}
app.kubernetes.io/name: shopapi
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "shopapi.labels" -}}
{{ include "shopapi.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: shopapi
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "shopapi.serviceAccountName" -}}
{{- printf "%s-%s" (include "shopapi.fullname" .root) .component -}}
{{- end -}}

{{/* An image: {root, image}. A digest wins over a tag; without either the chart's version is the tag. */}}
{{- define "shopapi.image" -}}
{{- $registry := .image.registry | default .root.Values.imageRegistry -}}
{{- $name := .image.repository -}}
{{- if $registry -}}{{- $name = printf "%s/%s" $registry $name -}}{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "shopapi.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* PodSecurity "restricted": the pod's half. {uid} */}}
{{- define "shopapi.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
fsGroup: {{ .uid }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* PodSecurity "restricted": the container's half. */}}
{{- define "shopapi.securityContext" -}}
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Where a pod may run: {root, component, values, spread}. */}}
{{- define "shopapi.placement" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .spread }}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $.root.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "shopapi.selectorLabels" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* ---------------------------------------------------------------- names of secrets */}}

{{/* {root, name}: the TLS Secret of an identity. */}}
{{- define "shopapi.tlsSecret" -}}
{{- get .root.Values.tls.secretNames .name | default (printf "%s-tls-%s" (include "shopapi.fullname" .root) .name) -}}
{{- end -}}

{{- define "shopapi.serviceKeySecret" -}}
{{- get .root.Values.secrets.names.serviceKeys .name | default (printf "%s-service-key-%s" (include "shopapi.fullname" .root) .name) -}}
{{- end -}}

{{- define "shopapi.publicKeysSecret" -}}
{{- .Values.secrets.names.servicePublicKeys | default (printf "%s-service-keys-public" (include "shopapi.fullname" .)) -}}
{{- end -}}

{{- define "shopapi.userJwtSecret" -}}
{{- .Values.secrets.names.userJwt | default (printf "%s-user-jwt" (include "shopapi.fullname" .)) -}}
{{- end -}}

{{/* {root, database, role}: role is runtime, owner or audit. */}}
{{- define "shopapi.databaseSecret" -}}
{{- $given := get .root.Values.secrets.names.databases .database | default dict -}}
{{- get $given .role | default (printf "%s-%s-db-%s" (include "shopapi.fullname" .root) .database .role) -}}
{{- end -}}

{{/* ---------------------------------------------------------------- databases */}}

{{/* One line per database: name, server it lives on, database, owner. The runtime role has the database's name. */}}
{{- define "shopapi.databases" -}}
gateway: {server: gateway, database: gatewaydb, owner: gateway_owner}
orders: {server: orders, database: ordersdb, owner: orders_owner}
inventory: {server: inventory, database: inventorydb, owner: inventory_owner}
payments: {server: payments, database: paymentsdb, owner: payments_owner}
provider: {server: payments, database: providerdb, owner: provider_owner}
{{- end -}}

{{/* {root, server}: the host of a database server that this chart makes. */}}
{{- define "shopapi.databaseHost" -}}
{{- $name := printf "%s-%s-db" (include "shopapi.fullname" .root) .server -}}
{{- if eq .root.Values.databases.mode "cloudnativepg" -}}{{- $name = printf "%s-rw" $name -}}{{- end -}}
{{- $name -}}
{{- end -}}

{{/* The CloudNativePG operator looks again only at Secrets with this label: a renewed certificate, another password. */}}
{{- define "shopapi.reloadLabel" -}}
{{- if eq .Values.databases.mode "cloudnativepg" -}}
cnpg.io/reload: "true"
{{- end -}}
{{- end -}}

{{- define "shopapi.natsUrl" -}}
{{- if eq .Values.nats.mode "bundled" -}}
nats://{{ include "shopapi.fullname" . }}-nats:4222
{{- else -}}
{{- .Values.nats.external.url -}}
{{- end -}}
{{- end -}}

{{- define "shopapi.otlpEndpoint" -}}
{{- if .Values.collector.enabled -}}
http://{{ include "shopapi.fullname" . }}-otel-collector:4317
{{- else -}}
{{- .Values.telemetry.otlpEndpoint -}}
{{- end -}}
{{- end -}}

{{/* Where the collector sends traces, host:port. The Jaeger operator puts `-collector` behind the name of its object. */}}
{{- define "shopapi.tracesEndpoint" -}}
{{- $jaeger := printf "%s-jaeger" (include "shopapi.fullname" .) -}}
{{- .Values.collector.tracesEndpoint | default (printf "%s:4317" (ternary (printf "%s-collector" $jaeger) $jaeger .Values.jaeger.operator.enabled)) -}}
{{- end -}}

{{/* Whether the pki Job has anything to make. */}}
{{- define "shopapi.generates" -}}
{{- if or (eq .Values.tls.mode "generated") (eq .Values.secrets.mode "generated") -}}true{{- end -}}
{{- end -}}

{{/*
Newest version of an API that this cluster serves: {root, newest, since, oldest}. The version counts too, because batch/v1 was there before its
CronJob was.
*/}}
{{- define "shopapi.apiVersion" -}}
{{- if and (.root.Capabilities.APIVersions.Has .newest) (semverCompare (printf ">=%s-0" .since) .root.Capabilities.KubeVersion.Version) -}}
{{- .newest -}}
{{- else -}}
{{- .oldest -}}
{{- end -}}
{{- end -}}

{{/* ---------------------------------------------------------------- volumes that several pods mount */}}

{{/* {root, name}: volumes of an identity: certificate, service key, public keys. */}}
{{- define "shopapi.identityVolumes" -}}
- name: tls
  secret:
    secretName: {{ include "shopapi.tlsSecret" . }}
    defaultMode: 0440
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
      - {key: ca.crt, path: ca.crt}
- name: service-key
  secret:
    secretName: {{ include "shopapi.serviceKeySecret" . }}
    defaultMode: 0440
    items:
      - {key: jwt.key, path: jwt.key}
- name: service-keys-public
  projected:
    defaultMode: 0440
    sources:
      # The five that must be there: the pod waits for them. Then all there are: <service>.next.pem, during a rotation.
      - secret:
          name: {{ include "shopapi.publicKeysSecret" .root }}
          items:
            {{- range splitList " " (include "shopapi.signers" .root) }}
            - {key: {{ . }}.pem, path: {{ . }}.pem}
            {{- end }}
      - secret:
          name: {{ include "shopapi.publicKeysSecret" .root }}
{{- end -}}

{{- define "shopapi.identityMounts" -}}
- {name: tls, mountPath: /etc/shopapi/tls, readOnly: true}
- {name: service-key, mountPath: /etc/shopapi/service-key, readOnly: true}
- {name: service-keys-public, mountPath: /etc/shopapi/jwt-public, readOnly: true}
{{- end -}}

{{- define "shopapi.identityEnv" -}}
- {name: SHOPAPI_TLS_DIR, value: /etc/shopapi/tls}
- {name: SHOPAPI_SERVICE_KEY, value: /etc/shopapi/service-key/jwt.key}
- {name: SHOPAPI_SERVICE_PUBLIC_KEYS, value: /etc/shopapi/jwt-public}
{{- end -}}

{{/* {root, database, role, volume}: the file `url` of a database's role. */}}
{{- define "shopapi.databaseVolume" -}}
- name: {{ .volume }}
  secret:
    secretName: {{ include "shopapi.databaseSecret" . }}
    defaultMode: 0440
    items:
      - {key: {{ get .root.Values.secrets.databaseUrlKeys .role }}, path: url}
{{- end -}}

{{- define "shopapi.databaseCaVolume" -}}
{{- if .Values.databases.external.caSecret.name }}
- name: database-ca
  secret:
    secretName: {{ .Values.databases.external.caSecret.name }}
    defaultMode: 0440
    items:
      - {key: {{ .Values.databases.external.caSecret.key }}, path: ca.crt}
{{- end }}
{{- end -}}
