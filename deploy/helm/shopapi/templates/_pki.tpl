{{/*
DNS names of an identity, as a YAML list: {root, name}. The same as services/support/devstack/src/pki/names.rs.
*/}}
{{- define "shopapi.dnsNames" -}}
{{- $fullname := include "shopapi.fullname" .root -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $hosts := list .name -}}
{{- if eq .name "postgres" -}}
{{- $hosts = list "postgres" "orders-db" "inventory-db" "payments-db" "gateway-db" -}}
{{- if eq .root.Values.databases.mode "cloudnativepg" -}}
{{- range $server := list "orders-db" "inventory-db" "payments-db" "gateway-db" -}}
{{- $hosts = concat $hosts (list (printf "%s-rw" $server) (printf "%s-ro" $server) (printf "%s-r" $server)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names := list "localhost" -}}
{{- range $host := $hosts -}}
{{- $names = append $names $host -}}
{{- $service := printf "%s-%s" $fullname $host -}}
{{- range $name := list $service (printf "%s.%s" $service $namespace) (printf "%s.%s.svc" $service $namespace) (printf "%s.%s.svc.%s" $service $namespace $.root.Values.clusterDomain) -}}
{{- $names = concat $names (list $name (printf "*.%s" $name)) -}}
{{- end -}}
{{- end -}}
{{- $names | toYaml -}}
{{- end -}}

{{/* The pod that fills the Secrets: {root, component}. */}}
{{- define "shopapi.pkiPod" -}}
{{- $fullname := include "shopapi.fullname" .root -}}
metadata:
  labels:
    {{- include "shopapi.labels" . | nindent 4 }}
spec:
  serviceAccountName: {{ include "shopapi.serviceAccountName" . }}
  # The one pod that talks to the API server.
  automountServiceAccountToken: true
  enableServiceLinks: false
  restartPolicy: OnFailure
  {{- include "shopapi.imagePullSecrets" .root | nindent 2 }}
  securityContext:
    {{- include "shopapi.podSecurityContext" (dict "uid" .root.Values.runAsUser) | nindent 4 }}
  containers:
    - name: pki
      image: {{ include "shopapi.image" (dict "root" .root "image" .root.Values.shopctl.image) }}
      imagePullPolicy: {{ .root.Values.shopctl.image.pullPolicy }}
      args: [pki, fill-secrets, --plan, /etc/shopapi/pki/plan.json]
      securityContext:
        {{- include "shopapi.securityContext" .root | nindent 8 }}
      resources:
        {{- toYaml .root.Values.shopctl.resources | nindent 8 }}
      volumeMounts:
        - {name: plan, mountPath: /etc/shopapi/pki, readOnly: true}
        - {name: tmp, mountPath: /tmp}
  volumes:
    # Keys on their way: in memory, gone with the pod.
    - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
    - name: plan
      configMap:
        name: {{ $fullname }}-pki
{{- end -}}
