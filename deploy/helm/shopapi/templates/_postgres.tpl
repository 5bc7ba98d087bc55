{{/*
Roles and databases of one server, repeatable: {name: {database, owner}}. The same roles and time limits as the development stack
(services/support/devstack/src/roles.rs).
*/}}
{{- define "shopapi.rolesSql" -}}
{{- range $name, $spec := . -}}
{{ include "shopapi.roleSql" (dict "role" $spec.owner "kind" "owner") }}
{{ include "shopapi.roleSql" (dict "role" $name "kind" "runtime") }}
{{ end -}}
{{ include "shopapi.roleSql" (dict "role" "shopapi_audit" "kind" "audit") }}
{{- range $name, $spec := . }}
SELECT 'CREATE DATABASE {{ $spec.database }} OWNER {{ $spec.owner }}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{{ $spec.database }}') \gexec
{{- range include "shopapi.accessStatements" (dict "database" $spec.database "runtime" $name) | fromYamlArray }}
{{ . }};
{{- end }}
{{- end }}
{{- end -}}

{{- define "shopapi.roleSql" -}}
SELECT 'CREATE ROLE {{ .role }} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{ .role }}') \gexec
\set password `cat /etc/shopapi/passwords/{{ .role }}`
ALTER ROLE {{ .role }} PASSWORD :'password';
{{- range include "shopapi.roleStatements" . | fromYamlArray }}
{{ . }};
{{- end }}
{{- end -}}

{{/* What a role may not do for long, as a YAML list of statements: {role, kind}; kind is owner, runtime or audit. */}}
{{- define "shopapi.roleStatements" -}}
{{- $limits := get (dict "owner" (list "10min" "10s" "60s") "runtime" (list "10s" "2s" "5s") "audit" (list "2min" "5s" "2min")) .kind -}}
- ALTER ROLE {{ .role }} SET statement_timeout = '{{ index $limits 0 }}'
- ALTER ROLE {{ .role }} SET lock_timeout = '{{ index $limits 1 }}'
- ALTER ROLE {{ .role }} SET idle_in_transaction_session_timeout = '{{ index $limits 2 }}'
{{- if eq .kind "audit" }}
- ALTER ROLE {{ .role }} SET default_transaction_read_only = on
{{- end }}
{{- end -}}

{{/* Who may connect to a database, as a YAML list of statements: {database, runtime}. */}}
{{- define "shopapi.accessStatements" -}}
- REVOKE ALL ON DATABASE {{ .database }} FROM PUBLIC
- GRANT CONNECT ON DATABASE {{ .database }} TO {{ .runtime }}, shopapi_audit
{{- end -}}
